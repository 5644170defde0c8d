"""The command-line options of all examples."""

import argparse


def options(doc, epochs, log_dir):
    """Return a parser of --epochs, --log-dir and --save-dir; `doc` is its description."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--log-dir", default=log_dir)
    parser.add_argument("--save-dir", default=None, help="also write each image as a PNG file")
    return parser
