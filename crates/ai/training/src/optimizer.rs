use tch::{TchError, Tensor};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// AdamW (Loshchilov and Hutter, ICLR 2019) with the usual constants: β 0.9 and 0.999, ε 10⁻⁸. Its state is plain
/// tensors, so that a checkpoint can hold it.
#[derive(Debug)]
pub struct AdamW {
    weight_decay: f64,
    step: i32,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
}

impl AdamW {
    /// Zero moments for these parameters.
    pub fn new(parameters: &[&Tensor], weight_decay: f64) -> Result<Self, TchError> {
        let zeros = || parameters.iter().map(|tensor| tensor.f_detach()?.f_zeros_like()).collect::<Result<_, _>>();
        Ok(Self { weight_decay, step: 0, first: zeros()?, second: zeros()? })
    }

    /// Moves each parameter by its gradient.
    pub fn step(&mut self, parameters: &[&Tensor], gradients: &[Tensor], rate: f64) -> Result<(), TchError> {
        let _no_grad = tch::no_grad_guard();
        self.step += 1;
        let correction1 = 1.0 - BETA1.powi(self.step);
        let correction2 = 1.0 - BETA2.powi(self.step);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((parameter, gradient), (first, second)) in parameters.iter().zip(gradients).zip(moments) {
            let _ = first.f_mul_scalar_(BETA1)?.f_add_(&gradient.f_mul_scalar(1.0 - BETA1)?)?;
            let _ = second.f_mul_scalar_(BETA2)?.f_add_(&gradient.f_square()?.f_mul_scalar(1.0 - BETA2)?)?;
            let denominator = second.f_div_scalar(correction2)?.f_sqrt()?.f_add_scalar(EPSILON)?;
            let mut parameter = parameter.f_detach()?;
            let _ = parameter.f_mul_scalar_(1.0 - rate * self.weight_decay)?;
            let _ = parameter.f_sub_(&first.f_div(&denominator)?.f_mul_scalar(rate / correction1)?)?;
        }
        Ok(())
    }

    /// Steps taken, first and second moments: what a checkpoint keeps.
    pub fn state(&self) -> (i32, &[Tensor], &[Tensor]) {
        (self.step, &self.first, &self.second)
    }

    /// Takes up the state of a checkpoint. Shapes are the caller's to check.
    pub fn restore(&mut self, step: i32, first: Vec<Tensor>, second: Vec<Tensor>) {
        (self.step, self.first, self.second) = (step, first, second);
    }
}

/// Scales the gradients down so that their common norm is at most `limit`; answers the norm before.
pub(crate) fn clip(gradients: &mut [Tensor], limit: f64) -> Result<f64, TchError> {
    let _no_grad = tch::no_grad_guard();
    let mut squares = 0.0;
    for gradient in gradients.iter() {
        squares += f64::try_from(gradient.f_square()?.f_sum(tch::Kind::Double)?)?;
    }
    let norm = squares.sqrt();
    if norm > limit {
        for gradient in gradients {
            let _ = gradient.f_mul_scalar_(limit / norm)?;
        }
    }
    Ok(norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(tensor: &Tensor) -> Vec<f64> {
        Vec::try_from(tensor.detach().to_kind(tch::Kind::Double)).unwrap()
    }

    #[test]
    fn agrees_with_the_update_written_out() {
        let parameter = Tensor::from_slice(&[1.0f32, -2.0]).set_requires_grad(true);
        let mut optimizer = AdamW::new(&[&parameter], 0.1).unwrap();
        let (mut expected, mut m, mut v) = ([1.0, -2.0], [0.0; 2], [0.0; 2]);
        for t in 1..=5 {
            let gradient = [0.3 * f64::from(t), -0.7];
            optimizer.step(&[&parameter], &[Tensor::from_slice(&gradient.map(|g| g as f32))], 0.01).unwrap();
            for i in 0..2 {
                m[i] = 0.9 * m[i] + 0.1 * gradient[i];
                v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
                let (m, v) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.999f64.powi(t)));
                expected[i] -= 0.01 * (0.1 * expected[i] + m / (v.sqrt() + 1e-8));
            }
        }
        values(&parameter).iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{a} {b}"));
    }

    #[test]
    fn clips_to_the_limit_and_not_below() {
        let mut gradients = [Tensor::from_slice(&[3.0f32]), Tensor::from_slice(&[4.0f32])];
        assert_eq!(clip(&mut gradients, 10.0).unwrap(), 5.0);
        assert_eq!(values(&gradients[1]), [4.0]);
        assert_eq!(clip(&mut gradients, 1.0).unwrap(), 5.0);
        assert!((values(&gradients[0])[0] - 0.6).abs() < 1e-6);
    }
}
