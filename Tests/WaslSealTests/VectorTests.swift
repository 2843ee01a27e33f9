import Crypto
import Foundation
import TestSupport
import Testing
import WaslModel

@testable import WaslSeal

/// Published vectors of the specifications that we follow.
@Suite struct VectorTests {
    private func hex(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.count, by: 2).map { index in
            let start = text.index(text.startIndex, offsetBy: index)
            return UInt8(text[start..<text.index(start, offsetBy: 2)], radix: 16)!
        }
    }

    @Test func thumbprintOfRFC8037A3() throws {
        let x = try #require(Base64URL.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
        #expect(try PublicJWK(curve: .ed25519, x: x).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
    }

    @Test func signatureOfRFC8037A4() throws {
        let key = try SigningKey(seed: try #require(Base64URL.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")))
        let input = Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8)
        let published = try #require(
            Base64URL.decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"))
        #expect(try VerificationKey(key.jwk).isValid(signature: published, of: input))
        #expect(try VerificationKey(key.jwk).isValid(signature: try key.sign(input), of: input))
        #expect(try !VerificationKey(key.jwk).isValid(signature: published, of: input + [0]))
    }

    @Test func signingInputOfRFC7797Section42() throws {
        let secret = try #require(
            Base64URL.decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
        let header = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19"
        let input = DetachedSignature.signingInput(header: header, payload: Array("$.02".utf8))
        let mac = HMAC<SHA256>.authenticationCode(for: input, using: SymmetricKey(data: secret))
        #expect(Base64URL.encode(Array(mac)) == "A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY")
    }

    @Test func keyDerivationOfRFC7518AppendixC() {
        let secret: [UInt8] = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163, 218, 128, 106, 72, 246, 218,
            167, 121, 140, 254, 144, 196,
        ]
        let key = SealedText.concatKDF(
            secret: secret, algorithm: "A128GCM", keyBytes: 16, apu: Array("Alice".utf8), apv: Array("Bob".utf8))
        #expect(Base64URL.encode(key) == "VqqN6vgjbSBcIijNcacQGg")
    }

    @Test func agreementOfRFC7748Section61() throws {
        let alice = try OpeningKey(seed: hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
        let bob = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        #expect(
            try alice.sharedSecret(with: bob, isSealing: true)
                == hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"))
    }

    /// The page's own example, computed with another library.
    @Test func theReferenceThatAnAgencyIsGivenIsTheContractsOwn() throws {
        func reference(_ house: String, _ number: String) throws -> String {
            AgencyReference(of: RequestKey(house: try #require(ParticipantID(house)), subject: try #require(RequestID(number)))).text
        }
        let number = "019339a2-0000-7000-8000-000000000001"
        #expect(try reference("hydra", number) == "RSWPD7PNYJZPZ2V2IKF2PGWVQZ")
        let page = try String(contentsOfFile: TestWorld.project + "/Docs/integrate/wire-contract.md", encoding: .utf8)
        #expect(page.contains("For `hydra` and `\(number)` it is `RSWPD7PNYJZPZ2V2IKF2PGWVQZ`"))
        #expect(try reference("kerker", number) != reference("hydra", number))
    }
}
