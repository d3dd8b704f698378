use super::*;

fn proof(max_difference: f64, mean_kl: f64) -> Proof {
    Proof {
        prompts: "p".into(),
        n_prompts: 1,
        n_positions: 10,
        max_difference,
        max_difference_limit: 0.5,
        max_logit: 10.0,
        mean_kl,
        mean_kl_limit: 0.01,
        top1_agreement: 1.0,
        adapter_kl: Some(0.1),
    }
}

#[test]
fn past_a_limit_nothing_is_kept() {
    let format = Format::Gguf(Quant::Q8_0);
    judge(proof(0.5, 0.01), format).unwrap();
    for (difference, kl) in [(0.51, 0.0), (0.0, 0.011), (f64::INFINITY, 0.0), (f64::NAN, 0.0), (0.0, f64::NAN)] {
        let error = judge(proof(difference, kl), format).unwrap_err().to_string();
        assert!(error.contains("Q8_0") && error.contains("1.000e-2"), "{error}");
    }
}

#[test]
fn coarser_formats_may_lose_more() {
    let order = [
        Format::Peft,
        Format::Safetensors(SaveDtype::F32),
        Format::Gguf(Quant::F16),
        Format::Safetensors(SaveDtype::Bf16),
        Format::Gguf(Quant::Q8_0),
        Format::Gguf(Quant::Q4KM),
    ];
    assert!(
        order.windows(2).all(|pair| limits(pair[0]).0 < limits(pair[1]).0 && limits(pair[0]).1 < limits(pair[1]).1)
    );
}

#[test]
fn a_format_that_loses_the_adapter_says_so() {
    let format = Format::Gguf(Quant::Q4KM);
    assert_eq!(warning(&proof(0.1, 0.04), format), None);
    assert!(warning(&proof(0.1, 0.06), format).unwrap().contains("Q4_K_M"));
    assert_eq!(warning(&Proof { adapter_kl: None, ..proof(0.1, 0.06) }, format), None);
}
