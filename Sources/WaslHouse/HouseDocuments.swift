import GRDB
import Hummingbird
import WaslCatalogue
import WaslJournal
import WaslModel
import WaslSeal
import WaslWeb

import struct Foundation.Data

/// Papers that citizens bring, and documents that agencies send.
extension House {
    /// What a scanner or a phone makes, known by its first bytes.
    private static let signatures: [(type: String, start: [UInt8])] = [
        ("application/pdf", Array("%PDF-".utf8)), ("image/jpeg", [0xFF, 0xD8, 0xFF]),
        ("image/png", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
    ]

    /// Takes a paper, named by the SHA-256 of its bytes: sending it twice is sending it once. Durable when this returns; an order names it then.
    func layDown(_ request: Request, _ digest: String) async throws -> Response {
        guard let expected = hexBytes(digest), expected.count == 32 else {
            throw Problem(
                .badRequest, "digest", LocalizedText(ar: "بصمة غير صالحة", fr: "Empreinte invalide", en: "Invalid digest"),
                detail: "The path ends with the SHA-256 of the paper's bytes: 64 hexadecimal digits in lower case.")
        }
        let type = request.headers[.contentType]?.split(separator: ";").first.map(String.init) ?? ""
        guard let signature = House.signatures.first(where: { $0.type == type }) else {
            throw Problem(
                .unsupportedMediaType, "media-type",
                LocalizedText(ar: "نوع الوثيقة غير مقبول", fr: "Type de pièce non accepté", en: "This type of paper is not accepted"),
                detail: "Send it as \(House.signatures.map(\.type).joined(separator: ", ")).")
        }
        let tooLarge = Problem(
            .contentTooLarge, "too-large",
            LocalizedText(ar: "الوثيقة أكبر مما يُقبل", fr: "Pièce trop volumineuse", en: "The paper is too large"),
            detail: "At most \(Attachments.bytesMax >> 20) MB are accepted; scan it with less detail.")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > Attachments.bytesMax { throw tooLarge }
        let environment = journal.environment
        guard let key = parts.keys.opening.first else { preconditionFailure("a key file holds an opening key") }
        var writer = LaidDownDocument.Writer(own: parts.id, key: key.jwk, entropy: environment.entropy)
        var start: [UInt8] = []
        for try await buffer in request.body {
            let bytes = buffer.readableBytesView
            if start.count < 8 { start += bytes.prefix(8 - start.count) }
            guard writer.size + bytes.count <= Attachments.bytesMax else { throw tooLarge }
            try writer.write(bytes)
        }
        guard start.starts(with: signature.start) else {
            throw Problem(
                .unprocessableContent, "not-that-type",
                LocalizedText(
                    ar: "المحتوى لا يوافق نوع الوثيقة", fr: "Le contenu n'est pas du type annoncé", en: "The content is not of that type"),
                detail: "The bytes do not begin as \(type) does; scan it again or send its true type.")
        }
        let document = try writer.finish(id: AttachmentID(environment.makeUUID(environment.now())), type: type)
        guard document.digest == expected else {
            throw Problem(
                .unprocessableContent, "digest-differs",
                LocalizedText(ar: "البصمة لا توافق المحتوى", fr: "L'empreinte ne correspond pas", en: "The digest differs"),
                detail: "The \(document.size) bytes that came have another SHA-256 than the path says; send them again.")
        }
        do { try await journal.commit { try $0.layDown(document) } } catch let error as JournalError { throw Problem.notNow(error) }
        return .json(["digest": .string(digest), "type": .string(type), "size": JSON(document.size)], status: .created)
    }

    func document(_ request: String, _ attachment: String) async throws -> Response {
        let (type, bytes) = try await documentContent(request, attachment)
        var response = Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        response.setHeader("Content-Disposition", "attachment; filename=\"\(attachment).pdf\"")
        response.setHeader("X-Content-Type-Options", "nosniff")
        return response
    }

    /// A document of an outcome: opened for the clerk who prints it, and held against the digest in the outcome's fields.
    func documentContent(_ request: String, _ attachment: String) async throws -> (type: String, bytes: [UInt8]) {
        let missing = Problem(
            .notFound, "no-such-document", LocalizedText(ar: "لا توجد هذه الوثيقة", fr: "Document introuvable", en: "No such document"),
            detail: "This request has no document of that number.")
        guard let subject = RequestID(request), let id = AttachmentID(attachment) else { throw missing }
        let (keys, own, catalogue) = (parts.keys.opening, parts.id, parts.catalogue.catalogue)
        let found: (type: String, bytes: [UInt8])?
        do {
            found = try await journal.read { db in
                let row = try Row.fetchOne(
                    db,
                    sql: """
                        SELECT o.body FROM incoming i JOIN outcome o ON o.request = i.subject AND o.id = i.cause
                        WHERE i.subject = ? AND i.attachment = ?
                        """, arguments: [subject.text, id.text])
                guard let body = row?[0] as Data? else { return nil }
                let envelope = try Envelope(parsing: [UInt8](body))
                let fields = try SealedContent.open(envelope.data["sealed"]?.string ?? "", in: envelope, with: keys)
                let field = envelope.service.flatMap { catalogue.service($0, version: envelope.contract) }?.document?.field ?? "document"
                guard let claim = DocumentClaim(fields[field] ?? .null) else { return nil }
                let bytes = try JournalStore.document(db, id, from: envelope.source, to: own, claim: claim, with: keys)
                return (claim.type, bytes)
            }
        } catch let error as DocumentError {
            let isOnItsWay = error.code == .incomplete
            throw Problem(
                isOnItsWay ? .conflict : .internalServerError, isOnItsWay ? "document-on-its-way" : "document-damaged",
                isOnItsWay
                    ? LocalizedText(ar: "الوثيقة في الطريق", fr: "Le document est en route", en: "The document is on its way")
                    : LocalizedText(ar: "الوثيقة تالفة", fr: "Le document est altéré", en: "The document is damaged"),
                detail: "\(error)", retryAfterSeconds: isOnItsWay ? 5 : nil)
        }
        guard let found else { throw missing }
        return found
    }
}
