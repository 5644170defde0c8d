"""`python -m kerasviz_callbacks export LOGDIR PAGE`: the command `kerasviz`."""

from kerasviz_timeline.command import main

if __name__ == "__main__":
    raise SystemExit(main())
