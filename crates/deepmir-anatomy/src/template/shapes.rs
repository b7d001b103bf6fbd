//! Solids given by their signed distance: negative inside, about the distance in millimetres.

/// A point or vector in millimetres.
pub(super) type Point = [f64; 3];

fn minus(a: Point, b: Point) -> Point {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn length(a: Point) -> f64 {
    dot(a, a).sqrt()
}

/// An ellipsoid, first-order accurate near its surface.
pub(super) fn ellipsoid(p: Point, centre: Point, radii: Point) -> f64 {
    let q = minus(p, centre);
    let once: Point = std::array::from_fn(|axis| q[axis] / radii[axis]);
    let size = length(once);
    if size < 1e-9 {
        return -radii.iter().copied().fold(f64::INFINITY, f64::min);
    }
    let twice = length(std::array::from_fn(|axis| once[axis] / radii[axis]));
    size * (size - 1.0) / twice
}

/// The point as a solid sees it that is turned by `angle_deg` (right-handed) about the axis through
/// `centre` parallel to axis number `axis`.
pub(super) fn turned(p: Point, centre: Point, axis: usize, angle_deg: f64) -> Point {
    let (sine, cosine) = angle_deg.to_radians().sin_cos();
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    let q = minus(p, centre);
    let mut turned = p;
    turned[u] = centre[u] + cosine * q[u] + sine * q[v];
    turned[v] = centre[v] - sine * q[u] + cosine * q[v];
    turned
}

/// A tube along a line through points, its radius changing evenly between them.
pub(super) fn tube(p: Point, path: &[(Point, f64)]) -> f64 {
    path.windows(2)
        .map(|ends| {
            let ((a, radius_a), (b, radius_b)) = (ends[0], ends[1]);
            let (along, to_p) = (minus(b, a), minus(p, a));
            let part = (dot(to_p, along) / dot(along, along)).clamp(0.0, 1.0);
            let aside = minus(to_p, along.map(|mm| part * mm));
            length(aside) - (radius_a + part * (radius_b - radius_a))
        })
        .fold(f64::INFINITY, f64::min)
}

/// The union of two solids, the edge between them filled by a fillet of about `width`.
pub(super) fn smooth_union(a: f64, b: f64, width: f64) -> f64 {
    let h = (width - (a - b).abs()).max(0.0) / width;
    a.min(b) - h * h * width * 0.25
}

/// What two solids share, the edge rounded by about `width`.
pub(super) fn smooth_cut(a: f64, b: f64, width: f64) -> f64 {
    -smooth_union(-a, -b, width)
}

/// From 0 at `low` to 1 at `high` (which may be the lower of the two), smoothly.
pub(super) fn ramp(low: f64, high: f64, value: f64) -> f64 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balls_and_tubes_have_their_distances() {
        let ball = |p| ellipsoid(p, [1.0, 2.0, 3.0], [5.0; 3]);
        assert!((ball([1.0, 2.0, 11.0]) - 3.0).abs() < 1e-9);
        let straight = [([0.0; 3], 1.0), ([10.0, 0.0, 0.0], 2.0)];
        assert!((tube([5.0, 4.0, 0.0], &straight) - 2.5).abs() < 1e-9);
        assert!((tube([13.0, 0.0, 0.0], &straight) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_solid_turned_by_a_quarter_about_z_has_at_y_what_it_had_at_x() {
        let seen = turned([0.0, 1.0, 0.0], [0.0; 3], 2, 90.0);
        assert!((seen[0] - 1.0).abs() < 1e-12 && seen[1].abs() < 1e-12);
    }
}
