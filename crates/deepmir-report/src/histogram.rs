//! How values are distributed, as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 34.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 8.0;
const MOST_BARS: usize = 24;

/// Bars of how many values lie where. Whole numbers of small range get a bar each. Empty if there are
/// no finite values.
pub fn histogram(values: &[f64]) -> String {
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.is_empty() {
        return String::new();
    }
    let whole = values.iter().all(|value| value.fract() == 0.0) && high - low < MOST_BARS as f64;
    let (start, step, bars) = if whole {
        (low - 0.5, 1.0, (high - low) as usize + 1)
    } else {
        let bars = ((values.len() as f64).sqrt().ceil() as usize).clamp(5, MOST_BARS);
        (low, ((high - low) / bars as f64).max(f64::MIN_POSITIVE), bars)
    };
    let mut counts = vec![0_usize; bars];
    for value in &values {
        counts[(((value - start) / step) as usize).min(bars - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let (inner, tall) = (WIDTH - LEFT - 6.0, HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{} values from {} to {}\">",
        values.len(),
        short(low),
        short(high)
    );
    for (n, &count) in counts.iter().enumerate() {
        let bar = tall * count as f64 / most as f64;
        let (x, wide) = (LEFT + inner * n as f64 / bars as f64, inner / bars as f64);
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{bar:.1}\" fill=\"#0072b2\"/>",
            TOP + tall - bar,
            (wide - 1.0).max(0.5)
        );
    }
    let base = TOP + tall;
    let text = |x: f64, y: f64, anchor: &str, text: String| {
        format!(
            "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\" font-size=\"11\">{text}</text>"
        )
    };
    let _ = write!(
        svg,
        "<path d=\"M{LEFT} {base}H{WIDTH}\" stroke=\"#555\"/>{}{}{}{}</svg>",
        text(LEFT, base + 15.0, "start", short(low)),
        text(WIDTH - 4.0, base + 15.0, "end", short(high)),
        text(LEFT - 5.0, TOP + 9.0, "end", most.to_string()),
        text(LEFT - 5.0, base, "end", "0".to_owned()),
    );
    svg
}

/// Three digits that count.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        x if x == 0.0 || x.fract() == 0.0 => 0,
        x if x >= 100.0 => 0,
        x if x >= 1.0 => 2,
        _ => 4,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bar() {
        let svg = histogram(&[0.0, 0.0, 0.0, 2.0, f64::NAN]);
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("height=\"118.0\"") && svg.contains("height=\"39.3\""), "{svg}");
        assert!(histogram(&[0.25; 9]).matches("<rect").count() >= 5);
        assert_eq!(histogram(&[f64::NAN]), "");
    }
}
