//! Grey values of pictures.

use deepmir_cases::Modality;
use deepmir_report::Window;
use deepmir_volume::{Mask, Volume};

/// Grey values as each kind of image is usually shown.
pub fn window(modality: Modality, image: &Volume<f32>, brain: &Mask) -> Window {
    match modality {
        Modality::Qsm => Window::QSM,
        Modality::Swi | Modality::T2w => Window::of_brain(image, brain),
    }
}
