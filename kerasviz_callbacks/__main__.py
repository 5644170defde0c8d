"""`python -m kerasviz_callbacks export LOGDIR PAGE`: the command `kerasviz`."""

from kerasviz_timeline.command import main

raise SystemExit(main())
