"""Where images, scalars, points and text go: event files, PNG files, memory; and the worker that writes them.

In the order of the flow:

    step_queue    the work of one step after the other, and what of it is done
    worker        jobs run in order, off the training thread
    sink          what every destination can do
    event_files   TensorBoard event files, one a run
    png_files     PNG files in directories
    memory        keeps everything, for notebooks and tests
    write_errors  what could not be written
    directories   directories checked before training, and resolved
    run_lock      which group of runs a sink writes to, and that no other does
    steps         which steps a run already holds
    events        one event file, without TensorFlow
    messages      the messages in it
    tfrecord      the framed records that hold them
    files         files written whole or not at all
    projector     the files of TensorBoard's projector
    png           PNG bytes and their paths
    animation     several PNG files as one animated PNG
    console       lines printed to the user

The modules are imported by name; none knows Keras, a framework, or a view. TensorBoard's protobufs, Pillow, the
checksum and the locks load on first use.
"""
