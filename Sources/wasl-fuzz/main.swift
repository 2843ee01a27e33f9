import CFuzzer
import Foundation
import WaslFuzz

// `wasl-fuzz TARGET [libFuzzer's own arguments]`; built by `make fuzz` only.
guard CommandLine.arguments.count > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
    let known = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
    FileHandle.standardError.write(Data("wasl-fuzz TARGET [arguments of libFuzzer]; targets: \(known)\n".utf8))
    exit(64)
}
chosen = target
let arguments = [CommandLine.arguments[0]] + CommandLine.arguments.dropFirst(2)
var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
var count = Int32(arguments.count)
exit(
    pointers.withUnsafeMutableBufferPointer { buffer in
        var base = buffer.baseAddress
        return LLVMFuzzerRunDriver(&count, &base) { bytes, length in
            let input = Array(UnsafeBufferPointer(start: bytes, count: length))
            if let problem = chosen.run(input) { fatalError(problem) }
            return 0
        }
    })
