//! Lines over steps, as SVG that prints well.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::ReportError;

/// A named line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// As in the legend.
    pub name: String,
    /// Its points, x rising.
    pub points: Vec<(f64, f64)>,
}

/// A panel: lines that share axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Below it.
    pub x_label: String,
    /// Its lines: the seventh and later are dashed.
    pub lines: Vec<Line>,
    /// The range of y; that of the points without it.
    pub y_range: Option<(f64, f64)>,
}

/// Okabe and Ito's colours, without yellow.
pub(crate) const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Panels side by side.
///
/// ```
/// use deepmir_report::curves::{Line, Panel, svg};
///
/// let line = Line { name: "CMB".to_owned(), points: vec![(0.0, 0.0), (1.0, 0.8)] };
/// let panel = Panel {
///     title: "Sensitivity".to_owned(),
///     x_label: "false positives a scan".to_owned(),
///     lines: vec![line],
///     y_range: Some((0.0, 1.0)),
/// };
/// assert!(svg(&[panel])?.contains("Sensitivity"));
/// # Ok::<(), deepmir_report::ReportError>(())
/// ```
///
/// # Errors
/// If there is nothing to draw.
pub fn svg(panels: &[Panel]) -> Result<String, ReportError> {
    let mut text = String::new();
    {
        let size = (460 * panels.len().max(1) as u32, 340);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE).map_err(fault)?;
        for (panel, area) in panels.iter().zip(root.split_evenly((1, panels.len().max(1)))) {
            draw(panel, &area)?;
        }
        root.present().map_err(fault)?;
    }
    Ok(text)
}

fn draw(
    panel: &Panel,
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), ReportError> {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let x_most = points().map(|point| point.0).fold(1.0, f64::max);
    let (low, high) = panel.y_range.unwrap_or_else(|| {
        let low = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
        let high = points().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
        if low < high { (low, high) } else { (0.0, 1.0) }
    });
    let mut chart: ChartContext<'_, _, Cartesian2d<RangedCoordf64, RangedCoordf64>> =
        ChartBuilder::on(area)
            .caption(&panel.title, ("sans-serif", 16))
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(46)
            .build_cartesian_2d(0.0..x_most, low..high)
            .map_err(fault)?;
    draw_axes(&mut chart, &panel.x_label, "")?;
    for (n, line) in panel.lines.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let style = colour.stroke_width(2);
        let points = line.points.iter().copied();
        // Once the colours are through, they come again dashed.
        let drawn = if n < COLOURS.len() {
            chart.draw_series(LineSeries::new(points, style))
        } else {
            chart.draw_series(DashedLineSeries::new(points, 6, 4, style))
        };
        drawn
            .map_err(fault)?
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    draw_legend(&mut chart)
}

/// A chart of numbers against numbers.
pub(crate) type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The names of lines, in the lower right corner.
pub(crate) fn draw_legend<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>) -> Result<(), ReportError> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 12))
        .draw()
        .map_err(fault)
}

/// Grid, ticks and the names of the axes.
pub(crate) fn draw_axes(
    chart: &mut Chart<'_, '_>,
    x_label: &str,
    y_label: &str,
) -> Result<(), ReportError> {
    chart
        .configure_mesh()
        .x_desc(x_label)
        .y_desc(y_label)
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .label_style(("sans-serif", 12))
        .draw()
        .map_err(fault)
}

pub(crate) fn fault(error: impl std::fmt::Display) -> ReportError {
    ReportError::Draw { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_shows_its_title_lines_and_legend() {
        let line = |name: &str, slope: f64| Line {
            name: name.to_owned(),
            points: (0..10).map(|n| (f64::from(n), slope * f64::from(n))).collect(),
        };
        let panel = Panel {
            title: "Validation".to_owned(),
            x_label: "step".to_owned(),
            lines: vec![line("CMB", 0.1), line("NHID", 0.05)],
            y_range: Some((0.0, 1.0)),
        };
        let svg = svg(&[panel.clone(), Panel { lines: Vec::new(), ..panel }]).unwrap();
        for text in ["Validation", "CMB", "NHID", "<polyline"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(!svg.contains("NaN"));
    }
}
