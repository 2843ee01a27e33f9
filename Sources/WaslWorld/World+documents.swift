import WaslJournal
import WaslModel
import WaslSeal
import WaslSimulation

/// Orders with papers, and the documents that come back.
extension World {
    static let certificateOrder: JSON = ["service": "cnam.coverage.certificate", "fields": ["insured_id": "1234567890"]]

    static func claimOrder(_ papers: [[UInt8]]) -> JSON {
        let entries = papers.enumerated().map { number, paper -> JSON in
            [
                "name": .string("\(World.mark) \(number)"), "type": "application/pdf", "size": JSON(paper.count),
                "digest": .string(hexText(sha256(paper))),
            ]
        }
        return [
            "service": "cnam.claim.submit",
            "fields": [
                "insured_id": "1234567890", "rib": "07040005810111129653", "care_date": "2026-02-02", "attachments": .array(entries),
            ],
        ]
    }

    /// One or two papers, some of more than one piece.
    func papers() -> [[UInt8]] {
        (0..<random.number(1...2)).map { _ in
            let size = random.happens(0.1) ? Attachments.pieceBytes + 100 : 700
            return Array("%PDF-1.4\n\(World.mark)\n".utf8) + random.bytes(64) + [UInt8](repeating: 0x20, count: size)
        }
    }

    /// A document that a house can print is the very one that the agency gave.
    func documentViolations() throws -> [Violation] {
        let given = institutions.reduce(into: [String: String]()) { $0.merge($1.certificates) { $1 } }
        return try houses.flatMap { try $0.documents() }.filter { given[AgencyReference(of: $0.request).text] != $0.digest }.map {
            Violation(invariant: "a document arrives as it was given", subject: $0.request.subject.text, reason: "another digest")
        }
    }
}
