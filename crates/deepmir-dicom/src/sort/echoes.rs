//! Parts of gradient echoes, joined to acquisitions.

use std::collections::BTreeMap;

use super::{Decision, Stack, Taken};
use crate::header::Part;

/// Echo time times field strength from which a magnitude alone is T2*-weighted, in milliseconds times tesla: 8 ms at 3 T.
const T2_STAR_MS_TESLA: f64 = 24.0;

/// The echoes of one part in one series.
struct Set {
    part: Part,
    /// Volumes by echo time in microseconds.
    echoes: BTreeMap<i64, usize>,
    used: bool,
}

/// Joins the volumes (`echoes`: number and part) to acquisitions, and decides for each of them.
pub fn assign(stacks: &[&Stack], echoes: &[(usize, Part)], decisions: &mut [Decision]) {
    let mut sets = sets(stacks, echoes);
    let mut acquisitions: Vec<[usize; 2]> = Vec::new();
    for (first, second) in [(Part::Magnitude, Part::Phase), (Part::Real, Part::Imaginary)] {
        for n in 0..sets.len() {
            if sets[n].part != first || sets[n].used {
                continue;
            }
            if let Some(other) = partner(stacks, &sets, n, second) {
                sets[n].used = true;
                sets[other].used = true;
                acquisitions.push([n, other]);
            }
        }
    }
    // Of one acquisition, magnitude and phase are taken before real and imaginary parts.
    let mut taken: Vec<[usize; 2]> = Vec::new();
    for pair in acquisitions {
        match taken.iter().find(|other| same_acquisition(stacks, &sets[other[0]], &sets[pair[0]])) {
            Some(_) => {
                let why = "its magnitude and phase are taken";
                pair.iter().for_each(|&n| set_aside(&sets[n], why, decisions));
            }
            None => taken.push(pair),
        }
    }
    for (run, pair) in taken.iter().enumerate() {
        let run = (taken.len() > 1).then_some(run + 1);
        name_echoes([&sets[pair[0]], &sets[pair[1]]], run, decisions);
    }
    let mut alone: Vec<usize> = Vec::new();
    for n in (0..sets.len()).filter(|&n| !sets[n].used) {
        let twin = taken.iter().flatten().chain(&alone);
        let twin = twin.copied().find(|&other| same_acquisition(stacks, &sets[other], &sets[n]));
        let why = match (sets[n].part, twin) {
            (Part::Magnitude, Some(other)) => {
                let number = stacks[sets[other].first()].header().series_number;
                let number = number.map_or(String::new(), |number| format!(" (series {number})"));
                format!("another image of echoes that are taken{number}")
            }
            (Part::Magnitude, None) if is_t2_star(stacks, &sets[n]) => {
                alone.push(n);
                continue;
            }
            (Part::Magnitude, None) => {
                "a gradient echo of short echo time without phase, which is not T2*-weighted"
                    .to_owned()
            }
            (part, _) => {
                let other = match part {
                    Part::Phase => "magnitude",
                    Part::Real => "imaginary part",
                    _ => "real part",
                };
                format!("no {other} of the same echo times and grid belongs to it")
            }
        };
        set_aside(&sets[n], &why, decisions);
    }
    name_magnitudes(&sets, &alone, &taken, decisions);
}

impl Set {
    fn first(&self) -> usize {
        self.echoes.values().next().copied().unwrap_or(0)
    }
}

fn sets(stacks: &[&Stack], echoes: &[(usize, Part)]) -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    for &(n, part) in echoes {
        let key = stacks[n].echo_key();
        let belongs = |set: &&mut Set| {
            let other = stacks[set.first()];
            set.part == part
                && !set.echoes.contains_key(&key)
                && other.header().identity.series == stacks[n].header().identity.series
                && other.image_type() == stacks[n].image_type()
                && have_one_grid(other, stacks[n])
        };
        match sets.iter_mut().find(belongs) {
            Some(set) => {
                set.echoes.insert(key, n);
            }
            None => sets.push(Set { part, echoes: [(key, n)].into(), used: false }),
        }
    }
    sets
}

fn have_one_grid(one: &Stack, other: &Stack) -> bool {
    matches!((&one.grid, &other.grid), (Ok(one), Ok(other)) if one.same_as(other))
}

/// The set of the other part that belongs to set `n`: of the same series, else acquired at the same time, else of the
/// same protocol and the nearest series number.
fn partner(stacks: &[&Stack], sets: &[Set], n: usize, part: Part) -> Option<usize> {
    let one = stacks[sets[n].first()];
    let fits = |other: &usize| {
        let set = &sets[*other];
        set.part == part
            && !set.used
            && set.echoes.keys().eq(sets[n].echoes.keys())
            && have_one_grid(one, stacks[set.first()])
    };
    let rank = |other: &usize| {
        let header = stacks[sets[*other].first()].header();
        let (mine, theirs) = (one.header(), header);
        let same_series = mine.identity.series == theirs.identity.series;
        let same_time =
            mine.acquisition_time.is_some() && mine.acquisition_time == theirs.acquisition_time;
        let same_protocol = mine.protocol == theirs.protocol;
        let apart = mine.series_number.zip(theirs.series_number);
        let apart = apart.map_or(i64::MAX, |(a, b)| a.saturating_sub(b).saturating_abs());
        (!same_series, !same_time, !same_protocol, apart, *other)
    };
    let best = (0..sets.len()).filter(fits).min_by_key(rank)?;
    let (other_series, _, other_protocol, ..) = rank(&best);
    // Another protocol on the same grid with the same echo times would be another scan.
    (!other_series || !other_protocol).then_some(best)
}

/// Whether two sets are images of one excitation: the same series or time of acquisition, echoes and grid.
fn same_acquisition(stacks: &[&Stack], one: &Set, other: &Set) -> bool {
    let (a, b) = (stacks[one.first()], stacks[other.first()]);
    let (first, second) = (a.header(), b.header());
    let repetition = a.frames[0].repetition == b.frames[0].repetition;
    let same_series = first.identity.series == second.identity.series && repetition;
    let same_time =
        first.acquisition_time.is_some() && first.acquisition_time == second.acquisition_time;
    (same_series || same_time) && one.echoes.keys().eq(other.echoes.keys()) && have_one_grid(a, b)
}

fn is_t2_star(stacks: &[&Stack], set: &Set) -> bool {
    let last = set.echoes.keys().next_back().copied().unwrap_or(0);
    let tesla = stacks[set.first()].header().field_strength_t.unwrap_or(3.0);
    last as f64 / 1000.0 * tesla >= T2_STAR_MS_TESLA
}

fn set_aside(set: &Set, why: &str, decisions: &mut [Decision]) {
    for &n in set.echoes.values() {
        decisions[n] = Decision { taken: Taken::Aside, run: None, why: why.to_owned() };
    }
}

fn name_echoes(pair: [&Set; 2], run: Option<usize>, decisions: &mut [Decision]) {
    for set in pair {
        let count = set.echoes.len();
        for (echo, &n) in set.echoes.values().enumerate() {
            let why = format!("{} of echo {} of {count}", set.part.entity(), echo + 1);
            decisions[n] = Decision { taken: Taken::Echo(echo + 1, set.part), run, why };
        }
    }
}

/// Magnitudes without phase: one echo is a T2*-weighted image, several are echoes.
fn name_magnitudes(
    sets: &[Set],
    alone: &[usize],
    taken: &[[usize; 2]],
    decisions: &mut [Decision],
) {
    let several: Vec<usize> = alone.iter().copied().filter(|&n| sets[n].echoes.len() > 1).collect();
    for &n in alone {
        let count = sets[n].echoes.len();
        let place = several.iter().position(|&other| other == n);
        let acquisitions = taken.len() + several.len();
        let run = place.filter(|_| acquisitions > 1).map(|place| taken.len() + place + 1);
        for (echo, &stack) in sets[n].echoes.values().enumerate() {
            let (kind, why) = if count > 1 {
                let why = format!("magnitude of echo {} of {count}, without phase", echo + 1);
                (Taken::Echo(echo + 1, Part::Magnitude), why)
            } else {
                (Taken::T2Star, "T2*-weighted magnitude without phase".to_owned())
            };
            decisions[stack] = Decision { taken: kind, run, why };
        }
    }
}
