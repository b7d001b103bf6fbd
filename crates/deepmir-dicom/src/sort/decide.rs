//! What the volumes of a study are taken for, seen together.

use super::Stack;
use super::candidate::{Candidate, candidate};
use super::echoes;
use super::geometry::normal;
use crate::header::Part;

/// What a volume becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Taken {
    /// A part of an echo, the first of which is 1.
    Echo(usize, Part),
    /// A T2*-weighted magnitude of one echo without phase.
    T2Star,
    /// A susceptibility-weighted image.
    Swi,
    /// A T2-weighted image.
    T2w,
    /// A susceptibility map, and what its values are to be multiplied with to be ppm.
    Qsm(f64),
    /// Nothing: it is set aside.
    Aside,
    /// It would have been taken, and its slices make no volume.
    Failed,
}

/// What becomes of a volume.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What it is taken for.
    pub taken: Taken,
    /// Which of several of the kind, from 1; none if there is one.
    pub run: Option<usize>,
    /// Why.
    pub why: String,
}

/// Decides for all volumes of one study, in their order.
pub fn decide(stacks: &[&Stack]) -> Vec<Decision> {
    let mut candidates: Vec<(Candidate, String)> =
        stacks.iter().map(|stack| candidate(stack)).collect();
    settle_called_swi(stacks, &mut candidates);
    let first = |(stack, (candidate, why)): (&&Stack, &(Candidate, String))| {
        let (taken, why) = match (&stack.grid, candidate) {
            (_, Candidate::Aside) => (Taken::Aside, why.clone()),
            (Err(fault), _) => (Taken::Failed, fault.clone()),
            (Ok(_), Candidate::Swi | Candidate::CalledSwi) => (Taken::Swi, why.clone()),
            (Ok(_), Candidate::T2w) => (Taken::T2w, why.clone()),
            (Ok(_), Candidate::Qsm(factor)) => (Taken::Qsm(*factor), why.clone()),
            (Ok(_), Candidate::GradientEcho(_)) => (Taken::Aside, why.clone()),
        };
        Decision { taken, run: None, why }
    };
    let mut decisions: Vec<Decision> = stacks.iter().zip(&candidates).map(first).collect();
    let echoes: Vec<(usize, Part)> = candidates
        .iter()
        .enumerate()
        .filter_map(|(n, (candidate, _))| match candidate {
            Candidate::GradientEcho(part) if stacks[n].grid.is_ok() => Some((n, *part)),
            _ => None,
        })
        .collect();
    echoes::assign(stacks, &echoes, &mut decisions);
    keep_one_t2w(stacks, &mut decisions);
    for kind in [is_swi, is_qsm, is_t2star] {
        let of_kind: Vec<usize> =
            (0..decisions.len()).filter(|&n| kind(&decisions[n].taken)).collect();
        if of_kind.len() > 1 {
            for (run, n) in of_kind.into_iter().enumerate() {
                decisions[n].run = Some(run + 1);
            }
        }
    }
    decisions
}

/// A magnitude that is called SWI is one of raw echoes where its series has other parts of them.
fn settle_called_swi(stacks: &[&Stack], candidates: &mut [(Candidate, String)]) {
    let is_part = |candidate: &Candidate| matches!(candidate, Candidate::GradientEcho(part) if *part != Part::Magnitude);
    let series = |n: usize| &stacks[n].header().identity.series;
    for n in 0..candidates.len() {
        let is_raw = candidates[n].0 == Candidate::CalledSwi
            && (0..candidates.len())
                .any(|other| is_part(&candidates[other].0) && series(n) == series(other));
        if is_raw {
            candidates[n] =
                (Candidate::GradientEcho(Part::Magnitude), "gradient echo, mag".to_owned());
        }
    }
}

fn is_swi(taken: &Taken) -> bool {
    *taken == Taken::Swi
}

fn is_qsm(taken: &Taken) -> bool {
    matches!(taken, Taken::Qsm(_))
}

fn is_t2star(taken: &Taken) -> bool {
    *taken == Taken::T2Star
}

/// Of several T2-weighted images, the one nearest to axial, and of those the one of the smallest voxels.
fn keep_one_t2w(stacks: &[&Stack], decisions: &mut [Decision]) {
    let all: Vec<usize> = (0..stacks.len()).filter(|&n| decisions[n].taken == Taken::T2w).collect();
    let rank = |n: &usize| {
        let stack = stacks[*n];
        // In steps of 0.1, so that slight tilts do not decide.
        let upright = (normal(&stack.frames[0].plane)[2].abs() * 10.0).round() as i64;
        let volume = stack.grid.as_ref().map_or(f64::MAX, |grid| grid.affine().voxel_volume_mm3());
        (-upright, (volume * 1000.0).round() as i64, *n)
    };
    let Some(best) = all.iter().copied().min_by_key(rank) else { return };
    let number = stacks[best].header().series_number;
    let name = number.map_or("another one".to_owned(), |number| format!("series {number}"));
    for n in all.into_iter().filter(|&n| n != best) {
        decisions[n].taken = Taken::Aside;
        decisions[n].why =
            format!("T2-weighted, but {name} is nearer to axial or finer, and was taken");
    }
}
