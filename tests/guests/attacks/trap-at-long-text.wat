;; Traps at predictions of more than four bytes, in a function with a name.
(core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
    (func (export "describe") (result i32) i32.const 0)
    (func $judge (param i32) (if (i32.gt_u (local.get 0) (i32.const 4)) (then unreachable)))
    (func $score (export "score-row") (param i32 i32 i32 i32 i32 i32) (result i32)
        (call $judge (local.get 1))
        (i32.store8 (i32.const 512) (i32.const 0)) (f64.store (i32.const 520) (f64.const 1)) i32.const 512)
    (data (i32.const 0) "\10\00\00\00\6d\00\00\00")
    (data (i32.const 16) "{\22id\22:\22attack\22,\22version\22:\220\22,\22summary\22:\22s\22,\22direction\22:\22higher\22,\22aggregate\22:\22proportion\22,\22lower\22:0,\22upper\22:1}"))
