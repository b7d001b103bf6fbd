//! Numbers with their intervals, a line each, as SVG that prints well.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::ReportError;

/// A named number and its interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// As written beside it.
    pub name: String,
    /// Value, lower and upper end; `None` is shown as undefined.
    pub value: Option<[f64; 3]>,
    /// Lines of one colour belong together.
    pub colour: usize,
}

const NAMES: u32 = 250;
const LINE: u32 = 22;

/// A dot and a bar for each number, over values from `range.0` to `range.1`.
///
/// # Errors
/// If it cannot be drawn.
pub fn svg(title: &str, range: (f64, f64), rows: &[Interval]) -> Result<String, ReportError> {
    let fault = |error: &dyn std::fmt::Display| ReportError::Draw { reason: error.to_string() };
    let mut text = String::new();
    {
        let size = (720, 74 + LINE * rows.len().max(1) as u32);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE).map_err(|error| fault(&error))?;
        let mut chart: ChartContext<'_, _, Cartesian2d<RangedCoordf64, RangedCoordf64>> =
            ChartBuilder::on(&root)
                .caption(title, ("sans-serif", 16))
                .margin(8)
                .x_label_area_size(26)
                .y_label_area_size(NAMES)
                .build_cartesian_2d(range.0..range.1, rows.len().max(1) as f64..0.0)
                .map_err(|error| fault(&error))?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .label_style(("sans-serif", 12))
            .draw()
            .map_err(|error| fault(&error))?;
        let name_style =
            ("sans-serif", 12).into_text_style(&root).pos(Pos::new(HPos::Right, VPos::Center));
        for (n, row) in rows.iter().enumerate() {
            let y = n as f64 + 0.5;
            let (left, middle) = chart.backend_coord(&(range.0, y));
            let name = match row.value {
                Some(_) => row.name.clone(),
                None => format!("{} (undefined)", row.name),
            };
            root.draw_text(&name, &name_style, (left - 8, middle))
                .map_err(|error| fault(&error))?;
            let Some([value, low, high]) = row.value else { continue };
            let colour = crate::curves::COLOURS[row.colour % crate::curves::COLOURS.len()];
            chart
                .draw_series([PathElement::new([(low, y), (high, y)], colour.stroke_width(2))])
                .map_err(|error| fault(&error))?;
            chart
                .draw_series([Circle::new((value, y), 4, colour.filled())])
                .map_err(|error| fault(&error))?;
        }
        root.present().map_err(|error| fault(&error))?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_name_dot_and_bar() {
        let row = |name: &str, value| Interval { name: name.to_owned(), value, colour: 0 };
        let rows = [row("SWI", Some([0.5, 0.4, 0.7])), row("QSM", None)];
        let svg = svg("F1 of CMB", (0.0, 1.0), &rows).unwrap();
        for text in ["F1 of CMB", "SWI", "QSM (undefined)"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(!svg.contains("NaN"));
    }
}
