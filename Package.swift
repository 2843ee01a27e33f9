// swift-tools-version: 6.2
import Foundation
import PackageDescription

// Every arrow between modules is listed here once; Tests/ArchitectureTests holds them.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "wasl",
    products: [
        .executable(name: "wasl", targets: ["wasl"]),
        // Preloaded into roles under test; never part of the program.
        .library(name: "waslfaults", type: .dynamic, targets: ["CFaults"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto.git", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", exact: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift.git", exact: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", exact: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams.git", exact: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client.git", exact: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", exact: "2.13.0"),
    ],
    targets: [
        .target(name: "CRabbitMQ", linkerSettings: ["rabbitmq", "ssl", "crypto"].map { .linkedLibrary($0) }),
        .target(name: "CFaults"),
        .target(name: "CJQ", linkerSettings: [.linkedLibrary("jq")]),
        .target(name: "JSONValue", swiftSettings: strict),
        .target(name: "JSONSchema", dependencies: ["JSONValue"], swiftSettings: strict),
        .target(name: "WaslModel", dependencies: ["JSONValue"], swiftSettings: strict),
        .target(name: "WaslSeal", dependencies: ["WaslModel", crypto], swiftSettings: strict),
        .target(
            name: "WaslCatalogue", dependencies: ["WaslModel", "JSONSchema", "CJQ", crypto, yams],
            swiftSettings: strict),
        .target(
            name: "WaslJournal", dependencies: ["WaslModel", "WaslSeal", grdb, logging],
            swiftSettings: strict),
        .target(
            name: "WaslBroker",
            dependencies: ["WaslModel", "WaslSeal", "WaslJournal", "CRabbitMQ", crypto, httpClient, logging],
            swiftSettings: strict),
        .target(
            name: "WaslWeb", dependencies: ["WaslModel", cryptoExtras, hummingbird, httpTypes, lifecycle, logging], swiftSettings: strict),
        .target(
            name: "WaslHouse",
            dependencies: [
                "WaslModel", "JSONSchema", "WaslSeal", "WaslCatalogue", "WaslJournal", "WaslWeb", grdb, hummingbird, logging,
            ],
            swiftSettings: strict),
        .target(
            name: "WaslAgency",
            dependencies: [
                "WaslModel", "JSONSchema", "WaslSeal", "WaslCatalogue", "WaslJournal", "WaslWeb", grdb, hummingbird,
                httpClient, logging,
            ],
            swiftSettings: strict),
        .target(
            name: "WaslLedger",
            dependencies: [
                "WaslModel", "WaslSeal", "WaslCatalogue", "WaslJournal", "WaslWeb", grdb, hummingbird, logging,
            ],
            swiftSettings: strict),
        .target(
            name: "WaslSimulation", dependencies: ["WaslModel", "WaslJournal", crypto, hummingbird],
            swiftSettings: strict),
        .target(
            name: "WaslWorld",
            dependencies: [
                "WaslModel", "WaslSeal", "WaslCatalogue", "WaslJournal", "WaslHouse", "WaslAgency", "WaslLedger",
                "WaslSimulation", crypto, grdb,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "wasl",
            dependencies: [
                "WaslModel", "WaslSeal", "WaslCatalogue", "WaslJournal", "WaslBroker", "WaslHouse", "WaslAgency",
                "WaslLedger", "WaslWeb", "WaslSimulation", "WaslWorld", arguments, grdb, httpClient, hummingbird, hummingbirdTLS, lifecycle,
                logging,
            ],
            swiftSettings: strict),
        .target(
            name: "WaslFuzz",
            dependencies: ["WaslModel", "WaslSeal", "WaslCatalogue", "WaslHouse", "WaslAgency", "WaslSimulation"], swiftSettings: strict),
        .testTarget(name: "FuzzTests", dependencies: ["WaslFuzz", "WaslSimulation"], swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["WaslModel", "WaslSeal", "WaslCatalogue", "WaslJournal"],
            path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(name: "ArchitectureTests", swiftSettings: strict),
        .testTarget(name: "WaslModelTests", dependencies: ["WaslModel"], swiftSettings: strict),
        .testTarget(name: "JSONSchemaTests", dependencies: ["JSONSchema", "JSONValue"], swiftSettings: strict),
        .testTarget(name: "WaslSealTests", dependencies: ["WaslSeal", "TestSupport", crypto], swiftSettings: strict),
        .testTarget(name: "WaslCatalogueTests", dependencies: ["WaslCatalogue", "TestSupport", "wasl"], swiftSettings: strict),
        .testTarget(
            name: "WaslJournalTests", dependencies: ["WaslJournal", "WaslSimulation", "TestSupport", grdb], swiftSettings: strict),
        .testTarget(
            name: "WaslBrokerTests", dependencies: ["WaslBroker", "WaslJournal", "WaslSimulation", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "WaslHouseTests",
            dependencies: [
                "WaslHouse", "WaslWeb", "WaslSimulation", "TestSupport", grdb, hummingbird,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ], swiftSettings: strict),
        .testTarget(
            name: "WaslAgencyTests", dependencies: ["WaslAgency", "WaslSimulation", "TestSupport", grdb],
            swiftSettings: strict),
        .testTarget(
            name: "WaslLedgerTests", dependencies: ["WaslLedger", "WaslSimulation", "TestSupport", grdb],
            swiftSettings: strict),
        .testTarget(
            name: "WaslWorldTests", dependencies: ["WaslWorld", "WaslSimulation", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "RoadTests",
            dependencies: [
                "JSONSchema", "WaslHouse", "WaslAgency", "WaslLedger", "WaslSimulation", "WaslBroker", "WaslWeb", "TestSupport", "wasl",
                grdb, httpClient, hummingbird, .product(name: "HummingbirdTesting", package: "hummingbird"),
            ], swiftSettings: strict),
    ]
)

// The coverage-guided fuzzer is built by `make fuzz` alone, in a folder of its own: its main comes from the compiler's runtime.
if let runtime = ProcessInfo.processInfo.environment["WASL_FUZZER_RUNTIME"] {
    let covered: [SwiftSetting] = [.unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"])]
    for target in package.targets where target.type == .regular && target.name.hasPrefix("Wasl") || target.name.hasPrefix("JSON") {
        target.swiftSettings = strict + covered
    }
    package.targets += [
        .target(name: "CFuzzer"),
        .executableTarget(
            name: "wasl-fuzz", dependencies: ["WaslFuzz", "CFuzzer"], swiftSettings: strict,
            linkerSettings: [.unsafeFlags([runtime, "-lstdc++"])]),
    ]
}
