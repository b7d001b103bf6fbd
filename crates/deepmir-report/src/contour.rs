//! Outlines of plane shapes, as SVG paths.

use std::collections::HashMap;
use std::fmt::Write as _;

/// Where a line crosses an edge of the lattice: from a sample to the next one across, or down.
type Edge = (usize, usize, bool);

/// Samples of a shape in rows; inside is above one half.
pub(crate) struct Field {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Field {
    /// `width × height` samples, the first axis fastest.
    pub fn new(width: usize, height: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self { width, height, values: places.map(|(x, y)| value(x, y)).collect() }
    }

    /// The mean of each sample and its neighbours: what is one sample wide does not make a ragged outline.
    pub fn smoothed(&self) -> Self {
        Self::new(self.width, self.height, |x, y| {
            let near = (0..3).flat_map(|j| (0..3).map(move |i| (x + i, y + j)));
            near.map(|(x, y)| self.padded(x, y)).sum::<f32>() / 9.0
        })
    }

    /// The sample at a place that is counted from one before the first: nothing lies beyond the edge.
    fn padded(&self, x: usize, y: usize) -> f32 {
        if x == 0 || y == 0 || x > self.width || y > self.height {
            return 0.0;
        }
        self.values[(y - 1) * self.width + x - 1]
    }

    /// The outline by marching squares: closed lines, in samples.
    pub fn outline(&self) -> Vec<Vec<[f64; 2]>> {
        let mut next: HashMap<Edge, Edge> = HashMap::new();
        let mut starts = Vec::new();
        for y in 0..=self.height {
            for x in 0..=self.width {
                let corners = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)];
                let case = corners.into_iter().enumerate().fold(0_usize, |case, (n, (x, y))| {
                    case | usize::from(self.padded(x, y) > 0.5) << n
                });
                let (top, left) = ((x, y, true), (x, y, false));
                let (bottom, right) = ((x, y + 1, true), (x + 1, y, false));
                let lines: &[(Edge, Edge)] = match case {
                    1 => &[(left, top)],
                    2 => &[(top, right)],
                    3 => &[(left, right)],
                    4 => &[(right, bottom)],
                    5 => &[(left, top), (right, bottom)],
                    6 => &[(top, bottom)],
                    7 => &[(left, bottom)],
                    8 => &[(bottom, left)],
                    9 => &[(bottom, top)],
                    10 => &[(top, right), (bottom, left)],
                    11 => &[(bottom, right)],
                    12 => &[(right, left)],
                    13 => &[(right, top)],
                    14 => &[(top, left)],
                    _ => &[],
                };
                for &(from, to) in lines {
                    next.insert(from, to);
                    starts.push(from);
                }
            }
        }
        let mut lines = Vec::new();
        for start in starts {
            let mut line = Vec::new();
            let mut at = start;
            while let Some(to) = next.remove(&at) {
                line.push(self.crossing(at));
                at = to;
            }
            if line.len() > 2 {
                lines.push(line);
            }
        }
        lines
    }

    fn crossing(&self, (x, y, across): Edge) -> [f64; 2] {
        let other = if across { (x + 1, y) } else { (x, y + 1) };
        let (one, two) = (f64::from(self.padded(x, y)), f64::from(self.padded(other.0, other.1)));
        let share = ((0.5 - one) / (two - one)).clamp(0.0, 1.0);
        let (x, y) = (x as f64 - 1.0, y as f64 - 1.0);
        if across { [x + share, y] } else { [x, y + share] }
    }
}

/// Closed lines as the `d` of an SVG path, each point moved by `place`; of long lines only each `every`th point.
pub(crate) fn path(
    lines: &[Vec<[f64; 2]>],
    every: usize,
    place: impl Fn([f64; 2]) -> [f64; 2],
) -> String {
    let mut text = String::new();
    for line in lines {
        let step = if line.len() < 8 * every { 1 } else { every.max(1) };
        for (n, &point) in line.iter().step_by(step).enumerate() {
            let [x, y] = place(point);
            let _ = write!(text, "{}{x:.1} {y:.1}", if n == 0 { "M" } else { "L" });
        }
        text.push('Z');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the shoelace formula; holes count negative.
    fn area(lines: &[Vec<[f64; 2]>]) -> f64 {
        let of = |line: &Vec<[f64; 2]>| {
            let next = line.iter().cycle().skip(1);
            line.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>() / 2.0
        };
        lines.iter().map(of).sum::<f64>().abs()
    }

    #[test]
    fn the_outline_of_a_disc_has_its_area_and_a_ring_two_lines() {
        let far =
            |x: usize, y: usize| ((x as f64 - 20.0).powi(2) + (y as f64 - 20.0).powi(2)).sqrt();
        let disc = Field::new(41, 41, |x, y| f32::from(far(x, y) <= 12.0)).outline();
        assert_eq!(disc.len(), 1);
        assert!((area(&disc) / 452.4 - 1.0).abs() < 0.03, "{}", area(&disc));
        let ring = Field::new(41, 41, |x, y| f32::from((6.0..12.0).contains(&far(x, y)))).outline();
        assert_eq!(ring.len(), 2);
        assert!((area(&ring) / 339.3 - 1.0).abs() < 0.06, "{}", area(&ring));
    }

    #[test]
    fn a_shape_at_the_edge_is_closed() {
        let lines = Field::new(3, 2, |_, _| 1.0).outline();
        assert_eq!(lines.len(), 1);
        let text = path(&lines, 1, |point| point);
        assert!(text.starts_with('M') && text.ends_with('Z') && !text.contains("NaN"), "{text}");
        assert!(Field::new(3, 3, |_, _| 0.0).outline().is_empty());
    }
}
