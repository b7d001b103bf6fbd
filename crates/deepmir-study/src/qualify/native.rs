//! What a model calls in scans before anything is implanted.

use std::cell::RefCell;

use deepmir_cases::{CaseFiles, Modality};
use deepmir_pipeline::predict::Predictor;
use deepmir_volume::{Volume, nifti};

use crate::StudyError;
use crate::implant::NativeCalls;

/// A model that is asked for its calls ([`NativeCalls`]).
pub struct ModelCalls<'a>(RefCell<&'a mut Predictor>);

impl<'a> ModelCalls<'a> {
    /// Asks a model.
    pub fn new(predictor: &'a mut Predictor) -> Self {
        Self(RefCell::new(predictor))
    }
}

impl NativeCalls for ModelCalls<'_> {
    /// With every image that is on the grid of the first: T2w on another grid is left out.
    fn calls(&self, scan: &CaseFiles) -> Result<Volume<u8>, StudyError> {
        let mut files = scan.clone();
        if let (Some(reference), Some(t2w)) =
            (files.images.values().next(), files.images.get(&Modality::T2w))
        {
            let [reference, t2w] = [nifti::read_header(reference)?, nifti::read_header(t2w)?];
            if !reference.grid().same_as(t2w.grid()) {
                files.images.remove(&Modality::T2w);
            }
        }
        let prediction = self.0.borrow_mut().predict(&files, &mut |_, _| {})?;
        Ok(prediction.labels.volume().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_model::shipped;
    use deepmir_net::DeviceChoice;
    use deepmir_testing::write_subject;
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn calls_are_on_the_scans_grid_and_do_not_need_t2w() {
        let folder = tempfile::tempdir().unwrap();
        let subject = write_subject(folder.path(), 1);
        let far = Grid::new([20; 3], Affine::from_spacing([2.0; 3], [-20.0; 3])).unwrap();
        nifti::write(&subject.t2w, &Volume::filled(far, 1.0_f32), None).unwrap();
        let images = [(Modality::Swi, &subject.swi), (Modality::Qsm, &subject.qsm)];
        let images = images.into_iter().chain([(Modality::T2w, &subject.t2w)]);
        let files = CaseFiles {
            id: subject.id.clone(),
            images: images.map(|(modality, path)| (modality, path.clone())).collect(),
            mask: None,
            truth: None,
        };
        let model = shipped::MODELS[0].open().unwrap();
        let mut predictor = Predictor::new(model, DeviceChoice::Cpu).unwrap();
        let calls = ModelCalls::new(&mut predictor).calls(&files).unwrap();
        let header = nifti::read_header(&subject.swi).unwrap();
        assert!(calls.grid().same_as(header.grid()));
        let none = CaseFiles { images: Default::default(), ..files };
        assert!(ModelCalls::new(&mut predictor).calls(&none).is_err());
    }
}
