import WaslFuzz

/// The target of this process: libFuzzer's callback is a C function and carries nothing. Set once, before the first call.
nonisolated(unsafe) var chosen = FuzzTarget.envelope
