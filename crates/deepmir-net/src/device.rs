//! The device that computes.

use burn::tensor::Device;

use crate::NetError;

/// The device that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first GPU where build and machine have one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The n-th GPU.
    Gpu(usize),
    /// Burn's own CPU backend, several times slower than deepmir's kernels, which are tested against it.
    BurnCpu,
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "burn-cpu" => Ok(Self::BurnCpu),
            None if text == "gpu" => Ok(Self::Gpu(0)),
            Some(("gpu", number)) => number
                .parse()
                .map(Self::Gpu)
                .map_err(|_| format!("{number:?} is no number of a GPU; give gpu:0, gpu:1, …")),
            _ => Err(format!("{text:?} is no device; give auto, cpu or gpu:N")),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Cpu => formatter.write_str("cpu"),
            Self::Gpu(number) => write!(formatter, "gpu:{number}"),
            Self::BurnCpu => formatter.write_str("burn-cpu"),
        }
    }
}

impl DeviceChoice {
    /// Whether deepmir's kernels on the CPU will be used.
    pub fn is_cpu(self) -> bool {
        self == Self::Cpu || (self == Self::Auto && first_gpu().is_none())
    }

    /// Burn's device.
    ///
    /// # Errors
    /// If the GPU does not exist, or this build has no GPU support.
    pub fn open(self) -> Result<Device, NetError> {
        match self {
            Self::Cpu | Self::BurnCpu => Ok(Device::flex()),
            Self::Auto => Ok(first_gpu().unwrap_or_else(Device::flex)),
            Self::Gpu(number) => gpu(number),
        }
    }
}

/// The devices that Vulkan finds: GPUs, then software implementations on the CPU (Mesa's lavapipe).
#[cfg(feature = "gpu")]
fn gpus() -> Vec<Device> {
    use burn::tensor::DeviceType;
    let mut gpus = Device::enumerate(DeviceType::Vulkan).into_vec();
    gpus.sort_by_key(is_software);
    gpus
}

#[cfg(feature = "gpu")]
fn is_software(device: &Device) -> bool {
    *device == Device::vulkan(burn::tensor::DeviceKind::Cpu)
}

/// The first GPU. A software implementation is slower than the kernels, so `auto` does not take one.
#[cfg(feature = "gpu")]
fn first_gpu() -> Option<Device> {
    gpus().into_iter().find(|gpu| !is_software(gpu))
}

#[cfg(feature = "gpu")]
fn gpu(number: usize) -> Result<Device, NetError> {
    let mut gpus = gpus();
    if number < gpus.len() {
        return Ok(gpus.swap_remove(number));
    }
    let found = match gpus.len() {
        0 => "none (is there a driver for it?)".to_owned(),
        count => format!("{count}, counted from 0"),
    };
    let reason = format!("there is no GPU {number}: Vulkan finds {found}; or use --device cpu");
    Err(NetError::Config { reason })
}

#[cfg(not(feature = "gpu"))]
fn first_gpu() -> Option<Device> {
    None
}

#[cfg(not(feature = "gpu"))]
fn gpu(_: usize) -> Result<Device, NetError> {
    let reason = "this deepmir was built without GPU support; build it with \
                  `cargo build --release --features gpu`, or use --device cpu";
    Err(NetError::Config { reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in ["auto", "cpu", "gpu:0", "gpu:3", "burn-cpu"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        for text in ["", "cuda", "gpu:", "gpu:x", "cpu:1"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }
}
