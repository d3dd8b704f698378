use serde_json::json;

use super::*;

fn check(consumer: Consumer, config: Value) -> Result<(), Error> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("adapter_config.json"), config.to_string()).unwrap();
    consumer.check_adapter(dir.path())
}

#[test]
fn vllm_gets_plain_lora_only() {
    let plain = json!({ "peft_type": "LORA", "r": 8, "lora_alpha": 16, "bias": "none", "use_dora": false,
        "modules_to_save": null, "rank_pattern": {}, "alpha_pattern": {}, "target_modules": ["q_proj"] });
    check(Consumer::Vllm, plain.clone()).unwrap();
    let cases = [
        ("use_dora", json!(true), "DoRA"),
        ("modules_to_save", json!(["lm_head"]), "lm_head"),
        ("bias", json!("all"), "bias"),
        ("r", json!(513), "513"),
        ("rank_pattern", json!({ "q_proj": 4 }), "rank_pattern"),
        ("alpha_pattern", json!({ "q_proj": 4 }), "alpha_pattern"),
        ("peft_type", json!("IA3"), "IA3"),
    ];
    for (key, value, expected) in cases {
        let mut config = plain.clone();
        config[key] = value;
        let error = check(Consumer::Vllm, config.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{key}: {error}");
        check(Consumer::Peft, config).unwrap();
    }
    let mut large = plain;
    large["r"] = json!(512);
    check(Consumer::Vllm, large).unwrap();
}
