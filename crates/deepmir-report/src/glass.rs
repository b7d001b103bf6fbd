//! The glass brain: lesions projected onto the outline of the brain, from below, from the front and from the left.

use std::fmt::Write as _;

use deepmir_lesion::{LesionClass, MarsRegion, Region};
use deepmir_volume::{Mask, Volume};

use crate::contour::{Field, path};

/// Side of a projection's sample.
const BIN_MM: f64 = 2.0;
/// Around the brain, for numbers and letters.
const MARGIN_MM: f64 = 12.0;
/// Smaller lesions are drawn as large as this, to be seen.
const LEAST_DIAMETER_MM: f64 = 4.0;
const LETTERS_MM: f64 = 7.0;

/// A lesion on the glass brain.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Its number in the table.
    pub number: usize,
    /// CMB or NHID.
    pub class: LesionClass,
    /// RAS millimetres.
    pub centre_mm: [f64; 3],
    /// Of the ball of its volume.
    pub diameter_mm: f64,
}

/// A direction of view: RAS axes across and down, name, and what is left and right in the picture.
pub(crate) struct View {
    pub axes: [usize; 2],
    pub name: &'static str,
    ends: [&'static str; 2],
}

pub(crate) const VIEWS: [View; 3] = [
    View { axes: [0, 1], name: "from below", ends: ["R", "L"] },
    View { axes: [0, 2], name: "from the front", ends: ["R", "L"] },
    View { axes: [1, 2], name: "from the left", ends: ["A", "P"] },
];

/// A picture as SVG, and its name.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct GlassView {
    /// Where it is seen from.
    pub name: &'static str,
    /// Millimetres from left to right, so that all views can be shown at one scale.
    pub width_mm: u32,
    /// The picture.
    pub svg: String,
}

/// Where voxels lie: their range and places in RAS millimetres.
pub(crate) struct Cloud {
    places: Vec<[f64; 3]>,
}

impl Cloud {
    pub fn of<T>(volume: &Volume<T>, is_part: impl Fn(&T) -> bool) -> Self {
        let grid = volume.grid();
        // Neighbours less than a sample apart add nothing.
        let step = grid.voxel_sizes_mm().map(|size| ((0.8 * BIN_MM / size) as usize).max(1));
        let [nx, ny, nz] = grid.shape();
        let mut places = Vec::new();
        for k in (0..nz).step_by(step[2]) {
            for j in (0..ny).step_by(step[1]) {
                for i in (0..nx).step_by(step[0]) {
                    if is_part(&volume[[i, j, k]]) {
                        places.push(grid.position_mm([i, j, k]));
                    }
                }
            }
        }
        Self { places }
    }

    fn range(&self, axis: usize) -> Option<(f64, f64)> {
        let values = self.places.iter().map(|place| place[axis]);
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        (low <= high).then_some((low, high))
    }
}

/// The frame of a view: the highest coordinates, at the left and the top, and its size.
pub(crate) struct Frame {
    axes: [usize; 2],
    from: [f64; 2],
    pub size: [f64; 2],
}

impl Frame {
    pub fn of(cloud: &Cloud, axes: [usize; 2]) -> Option<Self> {
        let (a, b) = (cloud.range(axes[0])?, cloud.range(axes[1])?);
        let from = [a.1 + MARGIN_MM, b.1 + MARGIN_MM];
        let size = [a.1 - a.0 + 2.0 * MARGIN_MM, b.1 - b.0 + 2.0 * MARGIN_MM];
        Some(Self { axes, from, size })
    }

    /// Mirrored both ways, as RAS runs to the right, front and top.
    pub fn place(&self, at_mm: [f64; 3]) -> [f64; 2] {
        [0, 1].map(|n| self.from[n] - at_mm[self.axes[n]])
    }

    /// The outline of the brain and what is left and right, to be ended with `</svg>`.
    pub fn begin(&self, view: &View, label: &str, whole: &Cloud) -> String {
        let [width, height] = self.size;
        let (middle, [left, right]) = (height / 2.0, view.ends);
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"group\" aria-label=\"{label}\"><path class=\"g-brain\" \
             d=\"{}\"/><text class=\"g-end\" x=\"1\" y=\"{middle:.0}\">{left}</text><text class=\"g-end\" x=\"{:.0}\" \
             y=\"{middle:.0}\" text-anchor=\"end\">{right}</text>",
            self.silhouette(whole),
            width - 1.0,
        )
    }

    /// The projection of a cloud, outlined.
    fn silhouette(&self, cloud: &Cloud) -> String {
        let [width, height] = self.size.map(|size| (size / BIN_MM).ceil() as usize + 1);
        let mut inside = vec![false; width * height];
        for &at in &cloud.places {
            let [x, y] = self.place(at).map(|x| (x / BIN_MM).round().max(0.0) as usize);
            if let Some(one) = (x < width).then(|| inside.get_mut(y * width + x)).flatten() {
                *one = true;
            }
        }
        let field = Field::new(width, height, |x, y| f32::from(inside[y * width + x]));
        path(&field.smoothed().outline(), 2, |point| point.map(|x| x * BIN_MM))
    }
}

/// The three views; none of a scan without a brain. `mars` holds the numbers of [`MarsRegion`] plus one, on any grid.
pub fn glass_brain(brain: &Mask, mars: Option<&Volume<u8>>, marks: &[Mark]) -> Vec<GlassView> {
    let whole = Cloud::of(brain, |&inside| inside);
    let region = |volume: &Volume<u8>, is_part: &dyn Fn(MarsRegion) -> bool| {
        Cloud::of(volume, |&label| {
            MarsRegion::ALL.iter().any(|&one| one as u8 + 1 == label && is_part(one))
        })
    };
    let nuclei = |one: MarsRegion| matches!(one, MarsRegion::BasalGanglia | MarsRegion::Thalamus);
    let below = |one: MarsRegion| one.region() == Region::Infratentorial;
    let parts: Vec<(&str, Cloud)> = mars.map_or(Vec::new(), |volume| {
        vec![("g-below", region(volume, &below)), ("g-nuclei", region(volume, &nuclei))]
    });
    let views = VIEWS.iter().filter_map(|view| {
        let frame = Frame::of(&whole, view.axes)?;
        let svg = draw(view, &frame, &whole, &parts, marks);
        Some(GlassView { name: view.name, width_mm: frame.size[0].round() as u32, svg })
    });
    views.collect()
}

fn draw(
    view: &View,
    frame: &Frame,
    whole: &Cloud,
    parts: &[(&str, Cloud)],
    marks: &[Mark],
) -> String {
    let label = format!("{} lesions on the outline of the brain, seen {}", marks.len(), view.name);
    let mut svg = frame.begin(view, &label, whole);
    for (class, part) in parts {
        let _ = write!(svg, "<path class=\"{class}\" d=\"{}\"/>", frame.silhouette(part));
    }
    let discs: Vec<[f64; 3]> = marks
        .iter()
        .map(|mark| {
            let [x, y] = frame.place(mark.centre_mm);
            [x, y, mark.diameter_mm.max(LEAST_DIAMETER_MM) / 2.0]
        })
        .collect();
    let mut taken: Vec<[f64; 4]> =
        discs.iter().map(|[x, y, r]| [x - r, y - r, x + r, y + r]).collect();
    for (mark, &[x, y, r]) in marks.iter().zip(&discs) {
        let class = mark.class.name();
        let _ = match mark.class {
            LesionClass::Cmb => {
                write!(
                    svg,
                    "<circle class=\"g-{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\"/>"
                )
            }
            LesionClass::Nhid => write!(
                svg,
                "<rect class=\"g-{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                x - r,
                y - r,
                2.0 * r,
                2.0 * r
            ),
        };
    }
    for (mark, &disc) in marks.iter().zip(&discs) {
        let text = mark.number.to_string();
        let ([left, baseline], line) = label_place(&mut taken, disc, text.len(), frame.size);
        if let Some([x, y]) = line {
            let _ = write!(
                svg,
                "<path class=\"g-line\" d=\"M{:.1} {:.1}L{x:.1} {y:.1}\"/>",
                disc[0], disc[1]
            );
        }
        let _ = write!(
            svg,
            "<a href=\"#lesion-{text}\"><text x=\"{left:.1}\" y=\"{baseline:.1}\">{text}</text></a>"
        );
    }
    svg + "</svg>"
}

/// Where the number of a lesion is written, as near as nothing else is; with a line to it if that is not beside it.
fn label_place(
    taken: &mut Vec<[f64; 4]>,
    [x, y, r]: [f64; 3],
    letters: usize,
    [width, height]: [f64; 2],
) -> ([f64; 2], Option<[f64; 2]>) {
    let (wide, tall) = (0.6 * LETTERS_MM * letters as f64, 0.75 * LETTERS_MM);
    let around = (0..6).flat_map(|ring| (0..8).map(move |turn| (f64::from(ring), f64::from(turn))));
    let boxes = around.map(|(ring, turn)| {
        let angle = turn * std::f64::consts::FRAC_PI_4;
        let far = r + 1.0 + 6.0 * ring;
        let (u, v) = (x + (far + wide / 2.0) * angle.cos(), y - (far + tall / 2.0) * angle.sin());
        (ring, [u - wide / 2.0, v - tall / 2.0, u + wide / 2.0, v + tall / 2.0])
    });
    let free = |one: &[f64; 4]| {
        let inside = one[0] >= 0.0 && one[1] >= 0.0 && one[2] <= width && one[3] <= height;
        let apart = |other: &[f64; 4]| {
            one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1]
        };
        inside && taken.iter().all(apart)
    };
    let beside = [x + r + 1.0, y - tall / 2.0, x + r + 1.0 + wide, y + tall / 2.0];
    let (ring, place) = boxes.into_iter().find(|(_, one)| free(one)).unwrap_or((0.0, beside));
    taken.push(place);
    let middle = [(place[0] + place[2]) / 2.0, (place[1] + place[3]) / 2.0];
    ([place[0], place[3]], (ring > 0.0).then_some(middle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn lesions_lie_on_their_side_and_numbers_do_not_overlap() {
        let affine = Affine::from_spacing([2.0; 3], [-60.0; 3]);
        let grid = Grid::new([60; 3], affine).unwrap();
        let brain = Volume::from_fn(grid, |voxel| {
            grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() < 2500.0
        });
        let mark = |number, x| Mark {
            number,
            class: if number == 1 { LesionClass::Nhid } else { LesionClass::Cmb },
            centre_mm: [x, 0.0, 0.0],
            diameter_mm: 3.0,
        };
        let marks = [mark(1, -30.0), mark(2, 30.0), mark(3, 31.0), mark(4, 32.0)];
        let views = glass_brain(&brain, None, &marks);
        assert_eq!(views.len(), 3);
        let svg = &views[0].svg;
        // 124 mm wide with margins of 12 mm; the left of the patient is right in the picture.
        let at = |tag: &str, name: &str| -> f64 {
            let from = svg.find(tag).unwrap();
            let from = from + svg[from..].find(name).unwrap() + name.len();
            svg[from..].split('"').next().unwrap().parse().unwrap()
        };
        assert!(at("<rect", " x=\"") > 80.0 && at("<circle", "cx=\"") < 40.0, "{svg}");
        assert_eq!(svg.matches("<a href=\"#lesion-").count(), 4);
        assert!(svg.contains("class=\"g-brain\" d=\"M") && !svg.contains("NaN"));
        let mut taken = Vec::new();
        for _ in 0..4 {
            label_place(&mut taken, [60.0, 60.0, 2.0], 1, [124.0, 124.0]);
        }
        let apart = |a: &[f64; 4], b: &[f64; 4]| {
            a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1]
        };
        assert!((0..4).all(|i| (0..i).all(|j| apart(&taken[i], &taken[j]))), "{taken:?}");
        assert!(glass_brain(&brain.map(|_| false), None, &marks).is_empty());
    }
}
