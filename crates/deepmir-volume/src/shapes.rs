//! Solids given by their signed distance: negative inside, about the distance in millimetres.

/// A point or vector in millimetres.
pub type Point = [f64; 3];

/// From `b` to `a`.
pub fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// The scalar product.
pub fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The Euclidean length.
pub fn length(a: Point) -> f64 {
    dot(a, a).sqrt()
}

/// An ellipsoid, first-order accurate near its surface.
pub fn ellipsoid(p: Point, centre: Point, radii: Point) -> f64 {
    let q = minus(p, centre);
    let once = [q[0] / radii[0], q[1] / radii[1], q[2] / radii[2]];
    let size = length(once);
    if size < 1e-9 {
        return -radii.iter().copied().fold(f64::INFINITY, f64::min);
    }
    let twice = length([once[0] / radii[0], once[1] / radii[1], once[2] / radii[2]]);
    size * (size - 1.0) / twice
}

/// Turned by `angle_deg` about the axis through `centre` parallel to axis number `axis`
/// (right-handed); the point as the unturned solid sees it.
pub fn turned(p: Point, centre: Point, axis: usize, angle_deg: f64) -> Point {
    let (sine, cosine) = angle_deg.to_radians().sin_cos();
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    let q = minus(p, centre);
    let mut turned = q;
    turned[u] = cosine * q[u] + sine * q[v];
    turned[v] = -sine * q[u] + cosine * q[v];
    [turned[0] + centre[0], turned[1] + centre[1], turned[2] + centre[2]]
}

/// A tube along a line through points, its radius changing evenly between them.
pub fn tube(p: Point, path: &[(Point, f64)]) -> f64 {
    path.windows(2)
        .map(|ends| {
            let ((a, radius_a), (b, radius_b)) = (ends[0], ends[1]);
            let (along, to_p) = (minus(b, a), minus(p, a));
            let part = (dot(to_p, along) / dot(along, along)).clamp(0.0, 1.0);
            let nearest =
                [to_p[0] - part * along[0], to_p[1] - part * along[1], to_p[2] - part * along[2]];
            length(nearest) - (radius_a + part * (radius_b - radius_a))
        })
        .fold(f64::INFINITY, f64::min)
}

/// The union of two solids with the edge between them filled by a fillet of about `width`.
pub fn smooth_union(a: f64, b: f64, width: f64) -> f64 {
    let h = (width - (a - b).abs()).max(0.0) / width;
    a.min(b) - h * h * width * 0.25
}

/// What two solids share, the edge rounded by about `width`.
pub fn smooth_cut(a: f64, b: f64, width: f64) -> f64 {
    -smooth_union(-a, -b, width)
}

/// From 0 below `low` to 1 above `high`, smoothly.
pub fn ramp(low: f64, high: f64, value: f64) -> f64 {
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
    fn turning_is_right_handed() {
        // The solid turned by 90° about z: what it has at +x is now at +y.
        let seen = turned([0.0, 1.0, 0.0], [0.0; 3], 2, 90.0);
        assert!((seen[0] - 1.0).abs() < 1e-12 && seen[1].abs() < 1e-12);
    }
}
