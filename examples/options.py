"""What every example can be told on its command line."""

import argparse


def options(doc, epochs, log_dir):
    """A parser for --epochs, --log-dir and --save-dir; `doc` stands above the help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--log-dir", default=log_dir)
    parser.add_argument("--save-dir", default=None, help="write each picture as a PNG file too")
    return parser
