use super::*;
use crate::synthesis::SynthesisConfig;
use crate::synthesis::tests::made_up_labels;

fn tiny() -> TrainingConfig {
    TrainingConfig {
        widths: vec![4, 8],
        steps: 3,
        synthesis: SynthesisConfig { shape: [16, 32, 16], ..SynthesisConfig::default() },
        ..TrainingConfig::default()
    }
}

fn heads() -> Heads {
    let head = Head::from_labels(&made_up_labels(1.0)).unwrap();
    Heads { measured: vec![head], built_in: Vec::new() }
}

#[test]
fn an_interrupted_training_ends_in_the_same_weights() {
    let (config, heads, engine) = (tiny(), heads(), Engine::new());
    let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut losses = Vec::new();
    let straight = train(&config, &heads, whole.path(), &engine, &mut |report| {
        losses.push(report.loss);
        ControlFlow::Continue(())
    });
    assert_eq!(losses.len(), 3);
    assert!(losses.iter().all(|loss| loss.is_finite() && *loss > 0.5), "{losses:?}");
    let broken = train(&config, &heads, parts.path(), &engine, &mut |_| ControlFlow::Break(()));
    let mut resumed_at = 0;
    let resumed = train(&config, &heads, parts.path(), &engine, &mut |report| {
        resumed_at = if resumed_at == 0 { report.step } else { resumed_at };
        ControlFlow::Continue(())
    });
    assert_eq!(resumed_at, 2);
    assert!(broken.unwrap() != straight.as_ref().unwrap().clone());
    assert!(resumed.unwrap() == straight.unwrap());

    let other = TrainingConfig { widths: vec![4, 6], ..config };
    let refused = train(&other, &heads, parts.path(), &engine, &mut |_| ControlFlow::Continue(()));
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("checkpoint.safetensors") && told.contains("into another"), "{told}");
}

#[test]
fn a_training_without_heads_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let none = Heads { measured: Vec::new(), built_in: Vec::new() };
    let refused =
        train(&tiny(), &none, folder.path(), &Engine::new(), &mut |_| ControlFlow::Continue(()));
    assert!(refused.unwrap_err().to_string().contains("heads"));
}
