//! Gradients through a tiny random model.

use openledger_backbone::{Backbone, Llama, Projection, testing::write_tiny_gguf};
use openledger_influence::{Error, Example, LoraParameters, completion_losses, gradients, query_gradient};
use openledger_lora::{AdapterConfig, LoraWeights, Weights};
use tch::{Device, Kind, Tensor};

fn tiny() -> Llama {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    write_tiny_gguf(&path, 3).unwrap();
    tch::set_num_threads(1);
    Backbone::load(path, Device::Cpu).unwrap().model
}

fn adapter(model: &Llama) -> LoraParameters {
    let target_modules = vec![Projection::Q, Projection::V, Projection::Down];
    let config = AdapterConfig {
        r: 3,
        lora_alpha: 6.0,
        use_rslora: false,
        target_modules: target_modules.clone(),
        lora_dropout: 0.0,
        base_model: None,
    };
    let values = |seed: i64, shape: [i64; 2]| {
        let wave = Tensor::arange(shape[0] * shape[1], (Kind::Float, Device::Cpu)) * 0.7 + seed as f64;
        (wave.sin() * 0.1).view(shape)
    };
    let mut weights = Weights::new();
    for layer in 0..model.config().layers {
        for projection in &target_modules {
            let (out, width) = model.config().projection_shape(*projection);
            let seed = (layer * 10) as i64 + *projection as i64;
            weights.insert(
                (layer, *projection),
                LoraWeights { a: values(seed, [3, width]), b: values(seed + 1, [out, 3]) },
            );
        }
    }
    LoraParameters::new(config, &weights).unwrap()
}

fn loss(model: &Llama, parameters: &LoraParameters, example: &Example) -> f64 {
    tch::no_grad(|| completion_losses(model, parameters, std::slice::from_ref(example)).unwrap().double_value(&[0]))
}

fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    let scale = b.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    f64::from(a.iter().zip(b).fold(0.0f32, |max, (x, y)| max.max((x - y).abs())) / scale)
}

#[test]
fn the_loss_is_the_mean_over_the_completions_tokens() {
    let (model, prompt, completion) = (tiny(), [5, 6, 7, 8], [100, 101, 102]);
    let parameters = adapter(&model);
    let example = Example::new(&prompt, &completion, 64).unwrap();
    let tokens: Vec<i64> = example.tokens().iter().map(|token| i64::from(*token)).collect();
    let logits = model.forward(&Tensor::from_slice(&tokens).unsqueeze(0), &parameters).unwrap();
    let log_probabilities = logits.squeeze_dim(0).log_softmax(-1, Kind::Double);
    let expected: f64 =
        (4..7).map(|p| -log_probabilities.double_value(&[p - 1, tokens[p as usize]])).sum::<f64>() / 3.0;
    assert!((loss(&model, &parameters, &example) - expected).abs() < 1e-5 * expected);
    // Cut to six tokens, the last one is not counted.
    let cut: f64 = (4..6).map(|p| -log_probabilities.double_value(&[p - 1, tokens[p as usize]])).sum::<f64>() / 2.0;
    assert!((loss(&model, &parameters, &Example::new(&prompt, &completion, 6).unwrap()) - cut).abs() < 1e-5 * cut);
    for (prompt, completion, limit) in
        [(&prompt[..], &[][..], 64), (&[][..], &completion[..], 64), (&prompt[..], &completion[..], 4)]
    {
        assert!(matches!(Example::new(prompt, completion, limit), Err(Error::EmptyCompletion { .. })));
    }
}

#[test]
fn a_batch_gives_each_example_its_own_gradient() {
    let model = tiny();
    let parameters = adapter(&model);
    let examples = [
        Example::new(&[1, 2, 3], &[4, 5, 6, 7, 8, 9], 64).unwrap(),
        Example::new(&[9; 20], &[8; 13], 64).unwrap(),
        Example::new(&[11], &[12], 64).unwrap(),
    ];
    let together = gradients(&model, &parameters, &examples).unwrap();
    for (example, gradient) in examples.iter().zip(&together) {
        let (prompt, completion) = example.tokens().split_at(example.tokens().len() - example.completion());
        let alone = query_gradient(&model, &parameters, prompt, completion, 64).unwrap();
        assert!((gradient.loss() - alone.loss()).abs() < 1e-5);
        let difference = largest_difference(gradient.values(), alone.values());
        assert!(difference < 1e-4, "padding or a neighbour leaked in: {difference}");
        // The plain way: one loss, one set of leaves.
        let loss = completion_losses(&model, &parameters, std::slice::from_ref(example)).unwrap().sum(Kind::Float);
        let plain = Tensor::run_backward(&[&loss], &parameters.tensors(), false, false);
        let plain: Vec<f32> = plain.iter().flat_map(|t| Vec::<f32>::try_from(t.reshape([-1])).unwrap()).collect();
        assert!(largest_difference(&plain, alone.values()) < 1e-4);
    }
}

#[test]
fn gradients_are_the_slope_of_the_loss() {
    let model = tiny();
    let parameters = adapter(&model);
    let example = Example::new(&[1, 2, 3], &[40, 50, 60, 70], 64).unwrap();
    let gradient = gradients(&model, &parameters, std::slice::from_ref(&example)).unwrap().remove(0);
    // Along the gradient of each matrix the loss rises by its norm. Central differences leave an error of order ε².
    for (l, tensor) in parameters.tensors().into_iter().enumerate() {
        let part = &gradient.values()[parameters.layout().range(l)];
        let norm = part.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let direction = Tensor::from_slice(part).view_as(tensor) / norm;
        let at = |distance: f64| {
            let _ = tensor.detach().g_add_(&(&direction * distance));
            loss(&model, &parameters, &example)
        };
        let (above, below) = (at(0.05), at(-0.1));
        at(0.05);
        let slope = (above - below) / 0.1;
        assert!(
            (slope - norm).abs() < 0.02 * norm + 1e-4,
            "{}: {slope} against {norm}",
            parameters.layout().matrices()[l].name
        );
    }
}
