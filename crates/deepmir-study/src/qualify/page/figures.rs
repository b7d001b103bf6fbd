//! Plots of a qualification.

use deepmir_report::Figure;
use deepmir_report::bands::{self, Band, BandPlot};
use deepmir_report::heat::{self, HeatCell, HeatMap};

use super::words::{inputs, plural, ppm};
use crate::StudyError;
use crate::qualify::difference::Difference;
use crate::qualify::rows::ImplantRow;
use crate::qualify::sensitivity::{Curve, Sensitivity, groups};
use crate::qualify::size_model::SHARE;
use crate::qualify::tally::{AtThreshold, Count, Rungs, input_sets};

/// Sensitivity against diameter: for each kind a plot at each susceptibility, with a curve for each set of inputs.
pub(super) fn curves_of(
    sensitivity: &[Sensitivity],
    rows: &[ImplantRow],
) -> Result<Vec<Figure>, StudyError> {
    let mut figures = Vec::new();
    for kind in kinds(sensitivity) {
        let of_kind: Vec<&Sensitivity> =
            sensitivity.iter().filter(|group| group.kind == kind).collect();
        let rungs = Rungs::of(rows, kind);
        let most = of_kind.iter().map(|group| group.curves.len()).max().unwrap_or(0);
        for place in 0..most {
            let with_curve =
                of_kind.iter().filter_map(|group| Some((*group, group.curves.get(place)?)));
            let with_curve: Vec<(&Sensitivity, &Curve)> = with_curve.collect();
            let Some((_, first)) = with_curve.first() else { continue };
            let chi = first.chi_ppm;
            let bands = with_curve.iter().map(|(group, curve)| Band {
                name: group.inputs.clone(),
                points: curve
                    .points
                    .iter()
                    .map(|(mm, e)| (*mm, [e.value, e.low, e.high]))
                    .collect(),
                dots: observed(rows, &rungs, group, curve.chi_ppm),
            });
            let plot = BandPlot {
                title: format!("{kind} of {} ppm", ppm(chi)),
                x_label: "diameter, mm".to_owned(),
                y_label: "share found".to_owned(),
                bands: bands.collect(),
                y_range: (0.0, 1.02),
                marks: vec![SHARE],
            };
            let caption = format!(
                "Implanted {} of {} ppm: fitted share found and its 95 % interval (shaded). Dots: the share found of \
                 those of about this susceptibility. Dashed: nine in ten.",
                plural(kind),
                ppm(chi)
            );
            figures.push(Figure { caption, svg: bands::svg(&plot)? });
        }
    }
    Ok(figures)
}

fn kinds(sensitivity: &[Sensitivity]) -> Vec<&str> {
    let mut kinds: Vec<&str> = sensitivity.iter().map(|group| group.kind.as_str()).collect();
    kinds.dedup();
    kinds
}

/// The share found on each rung of diameters, of implants of about a susceptibility.
fn observed(
    rows: &[ImplantRow],
    rungs: &Rungs,
    group: &Sensitivity,
    chi_ppm: f64,
) -> Vec<(f64, f64)> {
    let near = rungs.chis.iter().find(|bin| bin.holds(chi_ppm));
    let Some(near) = near else { return Vec::new() };
    let dots = rungs.diameters.iter().filter_map(|bin| {
        let here = rows.iter().filter(|row| {
            row.kind == group.kind
                && row.inputs == group.inputs
                && near.holds(row.chi_ppm.abs())
                && bin.holds(row.diameter_mm)
        });
        Some((bin.middle, Count::of(here).share()?[0]))
    });
    dots.collect()
}

/// Diameter against susceptibility, a map for each kind and set of inputs.
pub(super) fn heat_maps(rows: &[ImplantRow]) -> Result<Vec<Figure>, StudyError> {
    let mut figures = Vec::new();
    for group in groups(rows) {
        let rungs = Rungs::of(rows, &group.kind);
        let cell = |chi: &crate::qualify::bins::Bin, diameter: &crate::qualify::bins::Bin| {
            let here = rows.iter().filter(|row| {
                row.kind == group.kind
                    && row.inputs == group.inputs
                    && chi.holds(row.chi_ppm.abs())
                    && diameter.holds(row.diameter_mm)
            });
            let count = Count::of(here);
            let text = format!("{}/{}", count.found, count.implants);
            Some(HeatCell { share: count.share()?[0], text })
        };
        let map = HeatMap {
            title: format!("{} with {}", group.kind, inputs(&group.inputs)),
            columns: (
                "diameter, mm".to_owned(),
                rungs.diameters.iter().map(|bin| bin.label(1)).collect(),
            ),
            rows: (
                "susceptibility, ppm".to_owned(),
                rungs.chis.iter().map(|bin| bin.label(2)).collect(),
            ),
            cells: rungs
                .chis
                .iter()
                .map(|chi| rungs.diameters.iter().map(|mm| cell(chi, mm)).collect())
                .collect(),
        };
        let caption = format!(
            "Implanted {} found, of all: the darker, the larger the share.",
            plural(&group.kind)
        );
        figures.push(Figure { caption, svg: heat::svg(&map)? });
    }
    Ok(figures)
}

/// Sensitivity against false calls as the threshold changes.
pub(super) fn thresholds(
    at: &[AtThreshold],
    rows: &[ImplantRow],
) -> Result<Vec<Figure>, StudyError> {
    type Share = fn(&AtThreshold) -> Count;
    let sides: [(&str, Share); 2] = [("CMB", |at| at.cmb), ("NHID", |at| at.nhid)];
    let mut figures = Vec::new();
    for (kind, count) in sides {
        let bands = input_sets(rows).into_iter().filter_map(|set| {
            let of_set = at.iter().filter(|at| at.inputs == set && count(at).implants > 0);
            let mut points: Vec<(f64, [f64; 3])> = of_set
                .filter_map(|at| Some((at.false_calls_per_scan, count(at).share()?)))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1[0].total_cmp(&b.1[0])));
            (!points.is_empty()).then(|| Band { name: set, points, dots: Vec::new() })
        });
        let bands: Vec<Band> = bands.collect();
        if bands.is_empty() {
            continue;
        }
        let plot = BandPlot {
            title: kind.to_owned(),
            x_label: "calls elsewhere, a scan".to_owned(),
            y_label: "share found".to_owned(),
            bands,
            y_range: (0.0, 1.02),
            marks: Vec::new(),
        };
        let caption = format!(
            "Implanted {} of all sizes found, against calls elsewhere, as the threshold falls from 0.95 to 0.05. \
             Shaded: Wilson's intervals.",
            plural(kind)
        );
        figures.push(Figure { caption, svg: bands::svg(&plot)? });
    }
    Ok(figures)
}

/// The difference of two curves.
pub(super) fn difference(
    name: &str,
    difference: &Difference,
) -> Result<Option<Figure>, StudyError> {
    if difference.curve.is_empty() {
        return Ok(None);
    }
    let points: Vec<(f64, [f64; 3])> =
        difference.curve.iter().map(|(mm, e)| (*mm, [e.value, e.low, e.high])).collect();
    let most = points.iter().flat_map(|(_, values)| values).fold(0.1_f64, |m, v| m.max(v.abs()));
    let end = (most * 10.0).ceil() / 10.0;
    let chi = ppm(difference.chi_ppm);
    let plot = BandPlot {
        title: format!("{name}, {chi} ppm"),
        x_label: "diameter, mm".to_owned(),
        y_label: "difference of share found".to_owned(),
        bands: vec![Band { name: "second less first".to_owned(), points, dots: Vec::new() }],
        y_range: (-end, end),
        marks: vec![0.0],
    };
    let caption = "Difference of the fitted curves with its 95 % interval.".to_owned();
    Ok(Some(Figure { caption, svg: bands::svg(&plot)? }))
}
