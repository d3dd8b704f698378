;; Declares a pattern that takes exponential time on its own default.
(core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
    (func (export "describe") (result i32) i32.const 0)
    (func (export "score-row") (param i32 i32 i32 i32 i32 i32) (result i32)
        (i32.store8 (i32.const 512) (i32.const 0)) (f64.store (i32.const 520) (f64.const 1)) i32.const 512)
    (data (i32.const 0) "\10\00\00\00\0d\01\00\00")
    (data (i32.const 16) "{\22id\22:\22attack\22,\22version\22:\220\22,\22summary\22:\22s\22,\22direction\22:\22higher\22,\22aggregate\22:\22proportion\22,\22lower\22:0,\22upper\22:1,\22config-schema\22:{\22type\22:\22object\22,\22properties\22:{\22x\22:{\22type\22:\22string\22,\22pattern\22:\22^(a+)+$\22,\22default\22:\22aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\22}}}}"))
