//! The device that computes.

use crate::gpu;

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
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
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
        }
    }
}

impl DeviceChoice {
    /// Whether the CPU will be used.
    pub fn is_cpu(self) -> bool {
        self == Self::Cpu || (self == Self::Auto && !gpu::is_available())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in ["auto", "cpu", "gpu:0", "gpu:3"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        for text in ["", "cuda", "gpu:", "gpu:x", "cpu:1"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }
}
