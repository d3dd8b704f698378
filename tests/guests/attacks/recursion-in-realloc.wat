;; Calls itself when asked for memory.
(core module $m
    (memory (export "memory") 1)
    (func $r (export "realloc") (param i32 i32 i32 i32) (result i32)
        (i32.add (call $r (local.get 0) (local.get 1) (local.get 2) (local.get 3)) (i32.const 1)))
    (func (export "describe") (result i32) i32.const 0)
    (func (export "score-row") (param i32 i32 i32 i32 i32 i32) (result i32)
        (i32.store8 (i32.const 512) (i32.const 0)) (f64.store (i32.const 520) (f64.const 1)) i32.const 512)
    (data (i32.const 0) "\10\00\00\00\6d\00\00\00")
    (data (i32.const 16) "{\22id\22:\22attack\22,\22version\22:\220\22,\22summary\22:\22s\22,\22direction\22:\22higher\22,\22aggregate\22:\22proportion\22,\22lower\22:0,\22upper\22:1}"))
