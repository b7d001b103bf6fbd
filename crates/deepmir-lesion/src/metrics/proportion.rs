//! Shares and their intervals.

/// 97.5 % of the standard normal distribution lie below it.
pub const Z95: f64 = 1.959_963_984_540_054;

/// `found` of `count`, with Wilson's 95 % interval (1927): value, lower and upper end. `None` of none.
#[must_use]
pub fn wilson(found: usize, count: usize) -> Option<[f64; 3]> {
    if count == 0 {
        return None;
    }
    let (n, share) = (count as f64, found as f64 / count as f64);
    let square = Z95 * Z95;
    let centre = (share + square / (2.0 * n)) / (1.0 + square / n);
    let half =
        Z95 / (1.0 + square / n) * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    let low = if found == 0 { 0.0 } else { centre - half };
    let high = if found == count { 1.0 } else { centre + half };
    Some([share, low, high])
}
