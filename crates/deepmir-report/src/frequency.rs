//! How many lesions of a cohort lie where, on the glass brain.

use std::fmt::Write as _;

use deepmir_volume::Mask;

use crate::GlassView;
use crate::glass::{Cloud, Frame, VIEWS};

/// Radii of the smallest disc, on which a number can be read, and of the place with the most lesions.
const RADII_MM: [f64; 2] = [4.5, 11.0];

/// A region of one side.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Such as `left frontal lobe`.
    pub name: String,
    /// About its middle, in RAS millimetres of `brain`.
    pub centre_mm: [f64; 3],
    /// Lesions in it.
    pub count: usize,
}

/// A disc for each place with lesions on the outline of a brain, from three sides.
pub fn frequency_map(brain: &Mask, places: &[Place]) -> Vec<GlassView> {
    let whole = Cloud::of(brain, |&inside| inside);
    let views = VIEWS.iter().filter_map(|view| {
        let frame = Frame::of(&whole, view.axes)?;
        let label = format!("microbleeds by region and side, seen {}", view.name);
        let mut svg = frame.begin(view, &label, &whole);
        let there = merged(places, view.axes);
        let most = there.first().map_or(1, |place| place.count) as f64;
        for place in &there {
            let [x, y] = frame.place(place.centre_mm);
            let radius = RADII_MM[0].max(RADII_MM[1] * (place.count as f64 / most).sqrt());
            let Place { name, count, .. } = place;
            // Names are those of regions, never from outside.
            let _ = write!(
                svg,
                "<circle class=\"g-share\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"><title>{name}: {count}</title></circle>"
            );
        }
        for place in &there {
            let [x, y] = frame.place(place.centre_mm);
            let _ = write!(
                svg,
                "<text class=\"g-count\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                y + 2.3,
                place.count
            );
        }
        let width_mm = frame.size[0].round() as u32;
        Some(GlassView { name: view.name, width_mm, svg: svg + "</svg>" })
    });
    views.collect()
}

/// Places with lesions, the most first, so that small discs lie on large ones. Those that a view shows at one point, such
/// as a region of both sides from the left, are one.
fn merged(places: &[Place], axes: [usize; 2]) -> Vec<Place> {
    let mut there: Vec<Place> = Vec::new();
    for place in places.iter().filter(|place| place.count > 0) {
        let same = |other: &&mut Place| {
            axes.iter().all(|&axis| (other.centre_mm[axis] - place.centre_mm[axis]).abs() < 1.0)
        };
        match there.iter_mut().find(same) {
            Some(other) => {
                other.count += place.count;
                other.name = format!("{}, {}", other.name, place.name);
            }
            None => there.push(place.clone()),
        }
    }
    there.sort_by_key(|place| std::cmp::Reverse(place.count));
    there
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid, Volume};

    #[test]
    fn the_area_of_a_disc_grows_with_the_count() {
        let grid = Grid::new([60; 3], Affine::from_spacing([2.0; 3], [-60.0; 3])).unwrap();
        let brain = Volume::from_fn(grid, |voxel| {
            grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() < 2500.0
        });
        let place =
            |name: &str, x, count| Place { name: name.to_owned(), centre_mm: [x, 0.0, 0.0], count };
        let places = [place("left", -20.0, 10), place("right", 20.0, 40), place("none", 0.0, 0)];
        let views = frequency_map(&brain, &places);
        assert_eq!(views.len(), 3);
        for view in &views[..2] {
            assert_eq!(view.svg.matches("<circle").count(), 2);
            assert!(view.svg.contains("r=\"11.0\"><title>right: 40"));
            assert!(view.svg.contains("r=\"5.5\""));
        }
        // From the left both sides lie at one point.
        assert!(views[2].svg.contains("<title>left, right: 50"));
        assert_eq!(views[2].svg.matches("<circle").count(), 1);
    }
}
