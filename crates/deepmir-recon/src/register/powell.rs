//! Maximising a function without its gradient.

/// Parameters of a rigid transform.
pub(super) const PARAMETERS: usize = 6;
/// 1 − 1/φ of the golden section.
const SECTION: f64 = 0.381_966_011_250_105;

type Point = [f64; PARAMETERS];

/// Climbs from `start` by line searches along directions that learn from the way gone (Powell, "An
/// efficient method for finding the minimum of a function of several variables without calculating
/// derivatives", 1964). `scale` is the first step of each parameter; searching ends when a round
/// gains less than `tolerance`. Returns the best point and its value.
pub(super) fn maximise(
    start: Point,
    scale: Point,
    tolerance: f64,
    mut value: impl FnMut(&Point) -> f64,
) -> (Point, f64) {
    let mut directions: [Point; PARAMETERS] = std::array::from_fn(|n| {
        let mut direction = [0.0; PARAMETERS];
        direction[n] = scale[n];
        direction
    });
    let (mut point, mut best) = (start, value(&start));
    for _ in 0..20 {
        let (from, before) = (point, best);
        let (mut largest_gain, mut largest) = (0.0, 0);
        for (n, direction) in directions.iter().enumerate() {
            let (next, reached) = line_search(&point, best, direction, &mut value);
            if reached - best > largest_gain {
                (largest_gain, largest) = (reached - best, n);
            }
            (point, best) = (next, reached);
        }
        if best - before < tolerance {
            break;
        }
        // The way of the whole round replaces the direction that brought most.
        let way: Point = std::array::from_fn(|n| point[n] - from[n]);
        (point, best) = line_search(&point, best, &way, &mut value);
        directions[largest] = way;
        if directions.iter().any(|direction| direction.iter().all(|step| step.abs() < 1e-9)) {
            break;
        }
    }
    (point, best)
}

fn line_search(
    start: &Point,
    at_start: f64,
    direction: &Point,
    value: &mut impl FnMut(&Point) -> f64,
) -> (Point, f64) {
    let at = |step: f64| -> Point { std::array::from_fn(|n| start[n] + step * direction[n]) };
    // Bracket: steps grow while they gain.
    let (mut low, mut middle, mut best) = (-1.0, 0.0, at_start);
    let mut high = 1.0;
    let (below, above) = (value(&at(low)), value(&at(high)));
    if below > best || above > best {
        let sign = if above >= below { 1.0 } else { -1.0 };
        let (mut behind, mut step) = (0.0, sign);
        best = below.max(above);
        for _ in 0..6 {
            let next = step + 1.618 * (step - behind);
            let reached = value(&at(next));
            if reached <= best {
                (low, middle, high) = (behind.min(next), step, behind.max(next));
                break;
            }
            (behind, step, best) = (step, next, reached);
            (low, middle, high) = (behind.min(next), step, 2.618 * step);
        }
    }
    // Golden section within the bracket.
    for _ in 0..8 {
        let next = if high - middle > middle - low {
            middle + SECTION * (high - middle)
        } else {
            middle - SECTION * (middle - low)
        };
        let reached = value(&at(next));
        if reached > best {
            if next > middle {
                low = middle
            } else {
                high = middle
            }
            (middle, best) = (next, reached);
        } else if next > middle {
            high = next;
        } else {
            low = next;
        }
    }
    (at(middle), best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slanted_hill_is_climbed() {
        let top = [3.0, -1.0, 0.5, 2.0, -4.0, 1.0];
        let height = |point: &Point| {
            let d: Point = std::array::from_fn(|n| point[n] - top[n]);
            let slant = d[0] * d[1] + 0.5 * d[2] * d[3] - 0.3 * d[4] * d[5];
            -d.iter().map(|d| d * d).sum::<f64>() - slant
        };
        let (point, _) = maximise([0.0; 6], [1.0; 6], 1e-9, height);
        assert!(point.iter().zip(top).all(|(a, b)| (a - b).abs() < 0.1), "{point:?}");
    }
}
