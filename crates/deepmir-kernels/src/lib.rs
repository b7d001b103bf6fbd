//! CPU convolution kernels on plain slices, for U-Nets: no Burn, no volumes.
