"""The computations behind the views: pure numpy, arrays in, arrays and numbers out.

    class_activation    class activation maps, by eight methods
    channel_weights     the channel weights of Score-CAM and Ablation-CAM
    singular            leading singular vectors of a matrix
    attribution         gradient-based attribution
    perturbation        perturbation-based attribution: occlusion and RISE
    attribution_methods the attribution methods by name, with their options and papers
    attribution_checks  validation of their arguments
    resampling          linear resampling along an axis
    similarity          cosine distance, accurate for the smallest angles
    products            matrix products that take one thread
    matrices            kernels as matrices; downsampling that keeps extreme values
    clipping            the effect of gradient clipping
    units               norms and rotations of the weights of units over a training
    health              redundancy, rotation and norm of filters; dead, dormant and sparse channels
    responses           responses of neurons by example and by class
    overlap             redundant channels: correlations of their activations
    projection          a stable plane for latent codes
    history             arrays by step, in bounded memory
    latent              spread, movement, active units and dimension of latent codes
    classes             separation of classes: nearest neighbours, silhouette, variance ratio
    confusion           confusion matrices: which class is taken for which
    confidence          confidence of predictions compared with their accuracy
    sample_scores       the answer to each label: probability, margin, the other label that is likeliest
    dynamics            how the answers to samples develop over the epochs: confidence, margin, forgetting
    map_change          distances between heat maps
    diversity           how much samples differ from each other
    reconstruction      reconstruction errors and interpolation between codes
    masks               intersection over union of masks
    boxes               bounding boxes: formats, overlap, the best assignment
    pairs               whether rows belong together; signal-to-noise ratio
    scale               robust limits of colour scales
    choice              deterministic selection of layers, channels and filters
    geometry            inputs as images, kernels as filters, tokens as patches

Nothing here imports Keras, images or files, or another subpackage. Metrics are computed in float64 whatever the dtype
of the input, and are reproducible bit for bit. Each docstring states how NaN and infinity are handled: they are left
out, or the result is NaN; there are no warnings.
"""
