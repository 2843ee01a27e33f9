// Whoever speaks of envelopes speaks of JSON.
@_exported public import JSONValue
