//! Shares by two quantities, a cell each, as SVG that prints well.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::ReportError;
use crate::curves::fault;

/// A cell: the share that colours it, and what is written in it.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatCell {
    /// From 0 to 1.
    pub share: f64,
    /// Such as `7/8`.
    pub text: String,
}

/// Cells in columns and rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatMap {
    /// Above it.
    pub title: String,
    /// Below it, and the name of each column.
    pub columns: (String, Vec<String>),
    /// Beside it, and the name of each row, from the bottom up.
    pub rows: (String, Vec<String>),
    /// Row by row from the bottom up; an empty one has nothing in it.
    pub cells: Vec<Vec<Option<HeatCell>>>,
}

const COLUMN: u32 = 62;
const ROW: u32 = 40;
const LEFT: u32 = 96;
/// Colours of nothing and of everything.
const ENDS: [RGBColor; 2] = [RGBColor(247, 251, 255), RGBColor(8, 69, 148)];
/// Darker cells have white letters.
const DARK: f64 = 0.55;

/// The map.
///
/// # Errors
/// If it cannot be drawn.
pub fn svg(map: &HeatMap) -> Result<String, ReportError> {
    let mut text = String::new();
    let (columns, rows) = (map.columns.1.len().max(1), map.rows.1.len().max(1));
    {
        let size = (LEFT + 24 + COLUMN * columns as u32, 88 + ROW * rows as u32);
        let root = SVGBackend::with_string(&mut text, (size.0.max(300), size.1));
        let root = root.into_drawing_area();
        root.fill(&WHITE).map_err(fault)?;
        let mut chart: ChartContext<'_, _, Cartesian2d<RangedCoordf64, RangedCoordf64>> =
            ChartBuilder::on(&root)
                .caption(&map.title, ("sans-serif", 15))
                .margin(8)
                .x_label_area_size(42)
                .y_label_area_size(LEFT)
                .build_cartesian_2d(0.0..columns as f64, 0.0..rows as f64)
                .map_err(fault)?;
        for (row, cells) in map.cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                let (x, y) = (column as f64, row as f64);
                let Some(cell) = cell else { continue };
                let share = cell.share.clamp(0.0, 1.0);
                let corners = [(x, y), (x + 1.0, y + 1.0)];
                let edge = RGBColor(255, 255, 255).stroke_width(1);
                let area = Rectangle::new(corners, colour(share).filled());
                chart.draw_series([area]).map_err(fault)?;
                chart.draw_series([Rectangle::new(corners, edge)]).map_err(fault)?;
                let ink = if share > DARK { WHITE } else { BLACK };
                write(&root, chart.backend_coord(&(x + 0.5, y + 0.5)), &cell.text, &ink)?;
            }
        }
        for (n, name) in map.columns.1.iter().enumerate() {
            let (x, y) = chart.backend_coord(&(n as f64 + 0.5, 0.0));
            write(&root, (x, y + 12), name, &BLACK)?;
        }
        let (x, y) = chart.backend_coord(&(columns as f64 / 2.0, 0.0));
        write(&root, (x, y + 30), &map.columns.0, &BLACK)?;
        for (n, name) in map.rows.1.iter().enumerate() {
            let (x, y) = chart.backend_coord(&(0.0, n as f64 + 0.5));
            write(&root, (x - 32, y), name, &BLACK)?;
        }
        let (x, y) = chart.backend_coord(&(0.0, rows as f64 / 2.0));
        let style = ("sans-serif", 12).into_text_style(&root).pos(MIDDLE);
        let style = style.transform(FontTransform::Rotate270);
        root.draw_text(&map.rows.0, &style, (x - 80, y)).map_err(fault)?;
        root.present().map_err(fault)?;
    }
    Ok(text)
}

const MIDDLE: Pos = Pos { h_pos: HPos::Center, v_pos: VPos::Center };

fn write(
    root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    place: (i32, i32),
    text: &str,
    ink: &RGBColor,
) -> Result<(), ReportError> {
    let style = ("sans-serif", 12).into_text_style(root).pos(MIDDLE).color(ink);
    root.draw_text(text, &style, place).map_err(fault)
}

fn colour(share: f64) -> RGBColor {
    let [from, to] = ENDS;
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_its_colour_and_its_count() {
        let cell = |share: f64, text: &str| Some(HeatCell { share, text: text.to_owned() });
        let map = HeatMap {
            title: "SWI".to_owned(),
            columns: ("diameter, mm".to_owned(), vec!["1.0".to_owned(), "2.0".to_owned()]),
            rows: ("susceptibility, ppm".to_owned(), vec!["0.4".to_owned(), "<0.8>".to_owned()]),
            cells: vec![vec![cell(0.0, "0/4"), cell(1.0, "4/4")], vec![None, cell(0.5, "2/4")]],
        };
        let svg = svg(&map).unwrap();
        for text in ["0/4", "4/4", "2/4", "#F7FBFF", "#084594", "&lt;0.8&gt;", "diameter, mm"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(!svg.contains("NaN"));
        assert!(super::svg(&HeatMap::default()).is_ok());
    }
}
