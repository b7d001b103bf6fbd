//! Disagreement of the two stages: what the networks are sure of and the candidate classifier rejects.

use deepmir_lesion::Candidate;
use deepmir_volume::Warning;

/// A network is sure of a candidate from this probability on.
const SURE: f32 = 0.9;
/// Usual scans have fewer of them among the rejected, most of them veins: up to 14 in twelve simulated whole heads, up to
/// 81 in the five subjects of the simulated cohort that this was measured on.
const MANY: usize = 100;

/// What the user is told if there are many.
pub(super) fn warning(candidates: &[Candidate], accepted: &[bool]) -> Option<Warning> {
    let rejected = candidates.iter().zip(accepted).filter(|(candidate, accepted)| {
        !**accepted && candidate.lesion_probability.is_some() && candidate.peak_probability >= SURE
    });
    let rejected = rejected.count();
    (rejected > MANY).then(|| {
        let message = format!(
            "{rejected} regions that the networks are sure of (probability of at least {SURE}) were rejected by the \
             candidate classifier, where fewer than {MANY} are usual: the scan may be unlike those that the model learned \
             from, look at them in the table *_candidates.tsv"
        );
        Warning::new("candidates_rejected", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_lesion::{Lesion, LesionClass};
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn many_rejected_candidates_are_told() {
        let grid = Grid::new([300, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let candidates: Vec<Candidate> = (0..150)
            .map(|n| {
                let lesion = Lesion::new(LesionClass::Cmb, vec![2 * n], &grid);
                let candidate = Candidate::new(lesion, 0.95, 0.95, &grid);
                Candidate { lesion_probability: Some(0.01), ..candidate }
            })
            .collect();
        let told = |accepted: usize| {
            let accepted: Vec<bool> = (0..candidates.len()).map(|n| n < accepted).collect();
            warning(&candidates, &accepted)
        };
        assert_eq!(told(60), None);
        let told = told(10).unwrap();
        assert_eq!(told.code, "candidates_rejected");
        assert!(told.message.starts_with("140 regions"), "{told}");
    }
}
