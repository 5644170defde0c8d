"""A TensorBoard tab with one slider over every logged step of every image, and its export as one HTML page.

TensorBoard imports this package at every start, so it imports nothing by itself, and none of its modules imports Keras,
TensorFlow or `kerasviz_callbacks`. The modules, in the order in which data pass through them; each imports only those
above it:

    protobuf       reading the fields of a message in a file, without loading what is skipped
    event_file     images and scalars of one event file
    image_series   the steps of one tag in one run
    log_files      which runs there are, and reading their files
    log_index      all series of a log directory, following a live training
    curves         scalars of the runs, for the strip below the slider
    listing        what the front end is told about the log
    bundle         the front end as one script
    archive        images of some series as a zip archive
    export         one page that holds images and front end
    export_html    the same as a function
    notebook_page  the same, thinned for a notebook
    command        the same as a command
    plugin         the tab in TensorBoard
    static         the front end: ES modules without a build
"""
