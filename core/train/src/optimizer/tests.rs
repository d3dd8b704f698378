use super::*;

fn parameters() -> Vec<ParameterInfo> {
    let info =
        |name: &str, shape: &[usize]| ParameterInfo { name: name.into(), shape: shape.into(), decay: shape.len() > 1 };
    // The first is large enough for 8-bit moments, its last block is not full.
    vec![info("matrix", &[70, 65]), info("bias", &[65])]
}

fn config(optimizer: OptimizerKind) -> TrainConfig {
    TrainConfig { optimizer, weight_decay: 0.1, ..TrainConfig::default() }
}

const KINDS: [OptimizerKind; 4] =
    [OptimizerKind::AdamW, OptimizerKind::AdamW8bit, OptimizerKind::Sgd, OptimizerKind::Adafactor];

fn step(optimizer: &mut dyn Optimizer, values: &mut [Vec<f32>], seed: usize) {
    optimizer.begin_step();
    for (index, values) in values.iter_mut().enumerate() {
        let gradient: Vec<f32> = (0..values.len()).map(|i| ((i * 31 + seed * 17) % 23) as f32 * 0.1 - 1.0).collect();
        let update = TensorUpdate {
            index,
            values,
            gradient: &gradient,
            gradient_scale: 0.5,
            learning_rate: 1e-2,
            decays: index == 0,
        };
        optimizer.update(update);
    }
}

fn start() -> Vec<Vec<f32>> {
    parameters().iter().map(|p| (0..p.shape.iter().product()).map(|i: usize| (i % 7) as f32 * 0.1).collect()).collect()
}

fn bits(values: &[Vec<f32>]) -> Vec<u32> {
    values.concat().iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_restored_optimizer_goes_on_bit_for_bit() {
    for kind in KINDS {
        let mut whole = build(&config(kind), &parameters());
        let mut expected = start();
        (0..6).for_each(|seed| step(&mut *whole, &mut expected, seed));

        let mut first = build(&config(kind), &parameters());
        let mut values = start();
        (0..3).for_each(|seed| step(&mut *first, &mut values, seed));
        let state: Vec<_> = first.state().into_iter().map(|piece| piece.data.into_owned()).collect();
        let mut second = build(&config(kind), &parameters());
        second.restore(first.step(), state).unwrap();
        (3..6).for_each(|seed| step(&mut *second, &mut values, seed));
        assert!(bits(&values) == bits(&expected), "{kind:?}");
        assert_eq!(second.step(), 6);
    }
}

#[test]
fn state_that_does_not_fit_is_refused() {
    for kind in KINDS {
        let mut optimizer = build(&config(kind), &parameters());
        assert!(optimizer.restore(1, Vec::new()).is_err(), "{kind:?}");
        let mut state: Vec<_> = optimizer.state().into_iter().map(|piece| piece.data.into_owned()).collect();
        state[0] = StateData::F32(vec![0.0; 3].into());
        assert!(optimizer.restore(1, state).is_err(), "{kind:?}");
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for kind in KINDS {
        let on = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| {
                let mut optimizer = build(&config(kind), &parameters());
                let mut values = start();
                (0..4).for_each(|seed| step(&mut *optimizer, &mut values, seed));
                bits(&values)
            })
        };
        let one = on(1);
        assert!(one == on(2) && one == on(3), "{kind:?}");
    }
}

#[test]
fn lean_optimizers_keep_less() {
    let bytes = |kind| -> usize {
        let optimizer = build(&config(kind), &parameters());
        let size = |piece: StateTensor<'_>| match piece.data {
            StateData::F32(values) => 4 * values.len(),
            StateData::U8(values) => values.len(),
        };
        optimizer.state().into_iter().map(size).sum()
    };
    let n = 70 * 65;
    assert_eq!(bytes(OptimizerKind::AdamW), 8 * (n + 65));
    assert_eq!(bytes(OptimizerKind::AdamW8bit), 2 * n + 2 * 4 * n.div_ceil(256) + 8 * 65);
    assert_eq!(bytes(OptimizerKind::Sgd), 4 * (n + 65));
    assert_eq!(bytes(OptimizerKind::Adafactor), 4 * (70 + 65 + 65));
}
