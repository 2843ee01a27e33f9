import CJQ
import Foundation
import WaslModel

/// The helper process's side: compiles the programs it is told, confines itself for good, then translates until its input ends.
///
/// Frames both ways are a header line, then bytes: `PROGRAM <name> <length>`, `GO`, `RUN <name> <length>`; answers `OK <length>` and
/// `ERROR <length>`. libjq aborts when memory runs out and may loop for ever: here it takes only this process with it.
public enum JQHelper {
    static let memoryMax = 256 << 20
    static let cpuMilliseconds: Int32 = 1_000

    /// Serves standard input to standard output. Returns the process's exit status.
    public static func serve() -> Int32 {
        // A stop of the service is said to all its processes; this one is needed until the calls in flight have ended, and ends when its
        // input does.
        for number in [SIGTERM, SIGINT] { signal(number, SIG_IGN) }
        var programs: [String: OpaquePointer] = [:]
        var input = FrameReader(descriptor: 0)
        var message = [CChar](repeating: 0, count: 1024)
        while let header = input.line() {
            let words = header.split(separator: " ")
            switch words.first {
            case "PROGRAM":
                guard words.count == 3, let length = Int(words[2]), let text = input.bytes(length) else { return 65 }
                let compiled = wasl_jq_compile(String(decoding: text, as: UTF8.self), &message, message.count)
                guard let compiled else {
                    writeFrame("ERROR", Array("\(words[1]): \(string(message))".utf8))
                    return 65
                }
                programs[String(words[1])] = compiled
            case "GO":
                guard wasl_jq_confine(memoryMax) == 0 else { return 71 }
                writeFrame("OK", [])
            case "RUN":
                guard words.count == 3, let length = Int(words[2]), let text = input.bytes(length) else { return 65 }
                guard let program = programs[String(words[1])] else {
                    writeFrame("ERROR", Array("no program \(words[1])".utf8))
                    continue
                }
                run(program, called: words[1], text, &message)
            default: return 65
            }
        }
        return 0
    }

    private static func run(_ program: OpaquePointer, called name: Substring, _ input: [UInt8], _ message: inout [CChar]) {
        var output: UnsafeMutablePointer<CChar>?
        // jv_parse_sized wants chars and stops at the length, not at a zero.
        let status = input.withUnsafeBytes { bytes in
            wasl_jq_cpu_limit(cpuMilliseconds)
            defer { wasl_jq_cpu_limit(0) }
            return wasl_jq_run(
                program, bytes.bindMemory(to: CChar.self).baseAddress, bytes.count, &output, &message, message.count)
        }
        if status == 0, let output {
            writeFrame("OK", Array(UnsafeBufferPointer(start: output, count: strlen(output)).map { UInt8(bitPattern: $0) }))
            free(output)
        } else {
            // What jq says may quote the input. It ends here, before anybody can log it.
            writeFrame("ERROR", Array("\(name): \(JQComplaint.shape(of: string(message)))".utf8))
        }
    }

    private static func writeFrame(_ word: String, _ bytes: [UInt8]) {
        _ = writeAll(1, Array("\(word) \(bytes.count)\n".utf8) + bytes)
    }

    private static func string(_ message: [CChar]) -> String {
        String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Reads header lines and counted bytes from a descriptor.
struct FrameReader {
    let descriptor: Int32
    private var buffer: [UInt8] = []
    private var at = 0

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// A line without its end; `nil` at the end of input or past `deadline`.
    mutating func line(until deadline: ContinuousClock.Instant? = nil) -> String? {
        while true {
            if let end = buffer[at...].firstIndex(of: 0x0A) {
                defer { at = end + 1 }
                return String(decoding: buffer[at..<end], as: UTF8.self)
            }
            guard fill(until: deadline) else { return nil }
        }
    }

    mutating func bytes(_ count: Int, until deadline: ContinuousClock.Instant? = nil) -> [UInt8]? {
        guard count >= 0, count <= 128 << 20 else { return nil }
        while buffer.count - at < count { guard fill(until: deadline) else { return nil } }
        defer { at += count }
        return Array(buffer[at..<(at + count)])
    }

    private mutating func fill(until deadline: ContinuousClock.Instant?) -> Bool {
        if at > 0 {
            buffer.removeFirst(at)
            at = 0
        }
        if let deadline {
            var descriptor = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let left = max(0, (deadline - .now).milliseconds)
            guard poll(&descriptor, 1, Int32(clamping: left)) > 0 else { return false }
        }
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(descriptor, &chunk, chunk.count)
        guard count > 0 else { return false }
        buffer.append(contentsOf: chunk[..<count])
        return true
    }
}

func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
    var written = 0
    while written < bytes.count {
        let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        written += count
    }
    return true
}
