import Foundation
import Testing

@testable import WaslModel

@Suite struct SecretFileTests {
    private let path = NSTemporaryDirectory() + "/wasl-secret-" + UUID().uuidString

    private func write(_ text: String, mode: mode_t) {
        _ = FileManager.default.createFile(atPath: path, contents: Data(text.utf8))
        chmod(path, mode)
    }

    private func refusal() -> SecretFileError? {
        do { _ = try SecretFile.read(path) } catch { return error }
        return nil
    }

    @Test(arguments: [0o600, 0o400] as [mode_t]) func whatOnlyItsOwnerMayReadIsRead(_ mode: mode_t) throws {
        write("a secret", mode: mode)
        defer { unlink(path) }
        #expect(try SecretFile.read(path) == Array("a secret".utf8))
        #expect(throws: Never.self) { try SecretFile.check(path) }
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o644, 0o610, 0o601, 0o602, 0o666] as [mode_t])
    func whatOthersMayTouchIsRefusedWithTheRemedyAndWithoutTheSecret(_ mode: mode_t) throws {
        write("a secret", mode: mode)
        defer { unlink(path) }
        let error = try #require(refusal())
        #expect(error.isOpenToOthers)
        #expect(error.description.hasPrefix(path) && error.description.contains("chmod 600 \(path)"))
        #expect(!error.description.contains("a secret"))
        #expect(throws: SecretFileError.self) { try SecretFile.check(path) }
    }

    @Test func whatIsNoFileIsNamed() throws {
        #expect(refusal()?.isOpenToOthers == false, "nothing is there")
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        #expect(refusal()?.reason == "not a file", "a pipe would make the daemon wait for ever")
    }
}
