//! Which settings can be drawn from.

use super::SynthesisConfig;
use crate::AnatomyError;

impl SynthesisConfig {
    /// Tells whether examples can be drawn.
    ///
    /// # Errors
    /// If a setting is outside what can be drawn.
    pub fn validate(&self) -> Result<(), AnatomyError> {
        if !self.shape.iter().all(|&length| length % 16 == 0 && (16..=256).contains(&length)) {
            return Err(AnatomyError::Setting {
                name: "shape",
                value: format!("{:?}", self.shape),
                must_be: "multiples of 16 from 16 to 256",
            });
        }
        let (space, contrast, objects) = (&self.space, &self.contrast, &self.objects);
        let (mask, acquisition) = (&self.mask, &self.acquisition);
        let probabilities = [
            ("space.far_probability", space.far_probability),
            ("space.mirror_probability", space.mirror_probability),
            ("contrast.merge_probability", contrast.merge_probability),
            ("contrast.two_peaks_probability", contrast.two_peaks_probability),
            ("contrast.inversion_probability", contrast.inversion_probability),
            ("objects.void_probability", objects.void_probability),
            ("objects.vein_probability", objects.vein_probability),
            ("objects.lesion_probability", objects.lesion_probability),
            ("objects.haemorrhage_probability", objects.haemorrhage_probability),
            ("mask.strip_probability", mask.strip_probability),
            ("mask.fault_probability", mask.fault_probability),
            ("mask.deface_probability", mask.deface_probability),
            ("mask.cut_probability", mask.cut_probability),
            ("acquisition.thick_probability", acquisition.thick_probability),
            ("acquisition.ringing_probability", acquisition.ringing_probability),
            ("acquisition.zero_air_probability", acquisition.zero_air_probability),
        ];
        for (name, value) in probabilities {
            within(name, value, [0.0, 1.0], "between 0 and 1")?;
        }
        within(
            "space.rotation_deg",
            space.rotation_deg,
            [0.0, 180.0],
            "between 0 and 180 degrees",
        )?;
        let far = space.far_rotation_deg;
        within("space.far_rotation_deg", far, [0.0, 180.0], "between 0 and 180 degrees")?;
        within("space.shear", space.shear, [0.0, 0.3], "between 0 and 0.3")?;
        within("space.shift_mm", space.shift_mm, [0.0, 200.0], "between 0 and 200 mm")?;
        within("mask.cut", mask.cut, [0.0, 0.45], "between 0 and 0.45")?;
        let sum = contrast.weights.iter().sum::<f32>();
        within("the sum of contrast.weights", sum, [1e-6, 1e6], "positive")?;
        for weight in contrast.weights {
            within("contrast.weights", weight, [0.0, 1e6], "zero or more")?;
        }
        let lengths = "least and most, the least first, and within 0 to 500 mm";
        let ranges = [
            ("space.scale", space.scale, [0.5, 2.0], "least and most between 0.5 and 2"),
            ("space.displacement_mm", space.displacement_mm, [0.0, 20.0], lengths),
            ("space.displacement_spacing_mm", space.displacement_spacing_mm, [8.0, 500.0], lengths),
            ("contrast.spread", contrast.spread, [0.0, 1.0], "least and most between 0 and 1"),
            ("contrast.texture_spacing_mm", contrast.texture_spacing_mm, [4.0, 500.0], lengths),
            ("contrast.gamma", contrast.gamma, [0.1, 10.0], "least and most between 0.1 and 10"),
            ("objects.void_radius_mm", objects.void_radius_mm, [0.1, 60.0], lengths),
            ("objects.vein_radius_mm", objects.vein_radius_mm, [0.1, 60.0], lengths),
            ("objects.lesion_radius_mm", objects.lesion_radius_mm, [0.1, 60.0], lengths),
            ("objects.haemorrhage_radius_mm", objects.haemorrhage_radius_mm, [0.1, 60.0], lengths),
            ("mask.margin_mm", mask.margin_mm, [-10.0, 60.0], "least and most from -10 to 60 mm"),
            ("acquisition.in_plane_mm", acquisition.in_plane_mm, [0.1, 8.0], lengths),
            ("acquisition.thickness_mm", acquisition.thickness_mm, [0.1, 12.0], lengths),
            ("acquisition.spacing", acquisition.spacing, [1.0, 3.0], "least and most from 1 to 3"),
            ("acquisition.noise", acquisition.noise, [0.0, 1.0], "least and most from 0 to 1"),
            ("acquisition.bias", acquisition.bias, [0.0, 2.0], "least and most from 0 to 2"),
            ("acquisition.bias_spacing_mm", acquisition.bias_spacing_mm, [8.0, 500.0], lengths),
        ];
        for (name, [least, most], limits, must_be) in ranges {
            within(name, least, [limits[0], most], must_be)?;
            within(name, most, limits, must_be)?;
        }
        Ok(())
    }
}

fn within(
    name: &'static str,
    value: f32,
    [least, most]: [f32; 2],
    must_be: &'static str,
) -> Result<(), AnatomyError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(AnatomyError::Setting { name, value: value.to_string(), must_be })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_survive_toml_and_nonsense_is_refused() {
        let config = SynthesisConfig::default();
        config.validate().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<SynthesisConfig>(&text).unwrap(), config);
        assert!(toml::from_str::<SynthesisConfig>("colour = 1").is_err());
        let changes: [fn(&mut SynthesisConfig); 4] = [
            |config| config.shape[1] = 100,
            |config| config.space.scale = [1.2, 0.9],
            |config| config.mask.strip_probability = f32::NAN,
            |config| config.contrast.weights = [0.0; 5],
        ];
        for change in changes {
            let mut changed = config.clone();
            change(&mut changed);
            assert!(matches!(changed.validate(), Err(AnatomyError::Setting { .. })));
        }
    }
}
