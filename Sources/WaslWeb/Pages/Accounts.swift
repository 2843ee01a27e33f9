import CryptoExtras
import Foundation
import WaslModel

/// People who may sign in to a page: their names, and what scrypt (RFC 7914) makes of their passwords. One JSON file, readable by its
/// owner only, read anew at each sign-in, so that who leaves today is out today.
public struct Accounts: Sendable {
    private struct Account {
        let salt: [UInt8]
        /// scrypt's N, written down so that a later one can ask for more.
        let cost: Int
        let hash: [UInt8]
    }

    private var accounts: [String: Account] = [:]

    public static let passwordCharactersMin = 12
    /// What OWASP asks for today: 32 MiB, three times over.
    public static let cost = 1 << 15
    private static let costs = 1 << 10...1 << 20
    private static let parallelism = 3

    public init() {}

    /// - Throws: ``AccountsError`` naming file and place.
    public init(path: String) throws {
        let bytes: [UInt8]
        do { bytes = try SecretFile.read(path) } catch {
            throw AccountsError(error.isOpenToOthers ? "\(error)" : "\(error); make it with `staff add` of `wasl agency` or `wasl ledger`")
        }
        guard case .object(let members)? = (try? JSON.parse(bytes))?["accounts"] else {
            throw AccountsError("\(path): expected an object `accounts`")
        }
        for (name, value) in members.members {
            guard Accounts.isName(name), let salt = value["salt"]?.string.flatMap({ Base64URL.decode($0) }),
                let hash = value["scrypt"]?.string.flatMap({ Base64URL.decode($0) }), hash.count == 32,
                let cost = value["cost"]?.integer.map(Int.init), Accounts.costs.contains(cost), cost.nonzeroBitCount == 1
            else {
                throw AccountsError(
                    "\(path): accounts.\(name): expected `salt` and `scrypt` in base64url, and `cost`, a power of two from 1024 to 1048576")
            }
            accounts[name] = Account(salt: salt, cost: cost, hash: hash)
        }
    }

    public static func isName(_ name: String) -> Bool {
        (2...40).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2D }
    }

    /// Adds somebody, or gives them another password.
    public mutating func set(_ name: String, password: String, cost: Int = Accounts.cost) throws {
        guard Accounts.isName(name) else { throw AccountsError("\(name): a name is 2 to 40 of a-z, 0-9, `.` and `-`") }
        guard password.count >= Accounts.passwordCharactersMin else {
            throw AccountsError("the password needs at least \(Accounts.passwordCharactersMin) characters")
        }
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        accounts[name] = Account(salt: salt, cost: cost, hash: try Accounts.hash(password, salt, cost))
    }

    /// The file's text.
    public var text: String {
        JSON.object([
            "accounts": .object(
                JSONObject(
                    accounts.sorted { $0.key < $1.key }.map { name, account in
                        (
                            name,
                            [
                                "salt": .string(Base64URL.encode(account.salt)), "cost": JSON(account.cost),
                                "scrypt": .string(Base64URL.encode(account.hash)),
                            ]
                        )
                    }))
        ]).prettyText + "\n"
    }

    /// Changes with the password; `nil` where there is no such account (any more).
    public func mark(of name: String) -> String? { accounts[name].map { Base64URL.encode($0.salt) } }

    /// Takes as long for a name that is not there.
    public func isRight(_ name: String, password: String) -> Bool {
        let account = accounts[name]
        let cost = account?.cost ?? accounts.values.map(\.cost).max() ?? Accounts.cost
        guard let given = try? Accounts.hash(password, account?.salt ?? [UInt8](repeating: 0, count: 16), cost) else { return false }
        let expected = account?.hash ?? [UInt8](repeating: 0, count: 32)
        return zip(given, expected).reduce(account == nil ? 1 : 0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func hash(_ password: String, _ salt: [UInt8], _ cost: Int) throws -> [UInt8] {
        // One form of what a person types, whichever keyboard composed it.
        let typed = Array(password.precomposedStringWithCompatibilityMapping.utf8)
        let key = try KDF.Scrypt.deriveKey(
            from: typed, salt: salt, outputByteCount: 32, rounds: cost, blockSize: 8, parallelism: parallelism)
        return key.withUnsafeBytes { Array($0) }
    }
}

/// Why the accounts cannot be used.
public struct AccountsError: Error, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
