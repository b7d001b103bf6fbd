//! Curves with their intervals as shaded bands, and what was observed as dots, as SVG that prints well.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::ReportError;
use crate::curves::{COLOURS, draw_axes, draw_legend, fault};

/// A named curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Band {
    /// As in the legend.
    pub name: String,
    /// Rising x, with value, lower and upper end.
    pub points: Vec<(f64, [f64; 3])>,
    /// What was observed.
    pub dots: Vec<(f64, f64)>,
}

/// Curves that share axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BandPlot {
    /// Above it.
    pub title: String,
    /// Below it.
    pub x_label: String,
    /// Beside it.
    pub y_label: String,
    /// The curves.
    pub bands: Vec<Band>,
    /// The range of y.
    pub y_range: (f64, f64),
    /// Values of y with a dashed line across.
    pub marks: Vec<f64>,
}

/// The plot.
///
/// ```
/// use deepmir_report::bands::{Band, BandPlot, svg};
///
/// let points = vec![(1.0, [0.2, 0.1, 0.3]), (3.0, [0.9, 0.8, 1.0])];
/// let band = Band { name: "SWI".to_owned(), points, dots: vec![(2.0, 0.5)] };
/// let plot = BandPlot {
///     title: "CMB".to_owned(),
///     x_label: "diameter, mm".to_owned(),
///     y_label: "found".to_owned(),
///     bands: vec![band],
///     y_range: (0.0, 1.0),
///     marks: vec![0.9],
/// };
/// assert!(svg(&plot)?.contains("diameter, mm"));
/// # Ok::<(), deepmir_report::ReportError>(())
/// ```
///
/// # Errors
/// If it cannot be drawn.
pub fn svg(plot: &BandPlot) -> Result<String, ReportError> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (460, 340)).into_drawing_area();
        root.fill(&WHITE).map_err(fault)?;
        draw(plot, &root)?;
        root.present().map_err(fault)?;
    }
    Ok(text)
}

fn draw(
    plot: &BandPlot,
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), ReportError> {
    let dots = plot.bands.iter().flat_map(|band| band.dots.iter().map(|dot| dot.0));
    let xs = plot.bands.iter().flat_map(|band| band.points.iter().map(|point| point.0));
    let xs: Vec<f64> = xs.chain(dots).filter(|x| x.is_finite()).collect();
    let low = xs.iter().copied().fold(f64::INFINITY, f64::min);
    let high = xs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
    let only_dots = plot.bands.iter().all(|band| band.points.is_empty());
    // Dots at the ends are shown whole.
    let room = if only_dots { 0.04 * (high - low) } else { 0.0 };
    let (low, high) = (low - room, high + room);
    let mut chart: ChartContext<'_, _, Cartesian2d<RangedCoordf64, RangedCoordf64>> =
        ChartBuilder::on(area)
            .caption(&plot.title, ("sans-serif", 16))
            .margin(10)
            .margin_right(18)
            .x_label_area_size(36)
            .y_label_area_size(50)
            .build_cartesian_2d(low..high, plot.y_range.0..plot.y_range.1)
            .map_err(fault)?;
    draw_axes(&mut chart, &plot.x_label, &plot.y_label)?;
    for &mark in &plot.marks {
        let ends = [(low, mark), (high, mark)];
        let style = RGBColor(120, 120, 120).stroke_width(1);
        chart.draw_series(DashedLineSeries::new(ends, 4, 4, style)).map_err(fault)?;
    }
    let [bottom, top] = [plot.y_range.0, plot.y_range.1];
    for (n, band) in plot.bands.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let edge = |end: usize| {
            band.points.iter().map(move |(x, values)| (*x, values[end].clamp(bottom, top)))
        };
        let outline: Vec<(f64, f64)> =
            edge(1).chain(edge(2).collect::<Vec<_>>().into_iter().rev()).collect();
        if outline.len() > 2 {
            chart.draw_series([Polygon::new(outline, colour.mix(0.15).filled())]).map_err(fault)?;
        }
        let style = colour.stroke_width(2);
        let line = band.points.iter().map(|(x, values)| (*x, values[0]));
        chart
            .draw_series(LineSeries::new(line, style))
            .map_err(fault)?
            // Room for letters that are wider than reckoned.
            .label(format!("{}\u{a0}\u{a0}\u{a0}", band.name))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
        let dots = band.dots.iter().map(|&place| Circle::new(place, 3, colour.filled()));
        chart.draw_series(dots).map_err(fault)?;
    }
    // One cloud of dots is what the title says.
    if only_dots && plot.bands.len() < 2 { Ok(()) } else { draw_legend(&mut chart) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_curve_band_dots_and_names_that_are_no_markup() {
        let points = (1..6).map(|n| (f64::from(n), [0.1, 0.0, 0.2].map(|y| y * f64::from(n))));
        let band = Band {
            name: "<b>SWI</b>".to_owned(),
            points: points.collect(),
            dots: vec![(1.5, 0.2), (4.0, 0.5)],
        };
        let plot = BandPlot {
            title: "CMB & more".to_owned(),
            bands: vec![band, Band::default()],
            y_range: (0.0, 1.0),
            marks: vec![0.9],
            ..BandPlot::default()
        };
        let svg = svg(&plot).unwrap();
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches("<polygon").count(), 1);
        assert!(svg.contains("&lt;b&gt;SWI") && !svg.contains("<b>") && !svg.contains("NaN"));
        let dots = Band { name: "people".to_owned(), dots: vec![(50.0, 0.0)], ..Band::default() };
        let cloud = super::svg(&BandPlot { bands: vec![dots], ..plot.clone() }).unwrap();
        assert!(cloud.contains("<circle") && !cloud.contains("people"));
        assert!(super::svg(&BandPlot { bands: Vec::new(), ..plot }).is_ok());
    }
}
