# A paper is named by its hash: bringing it again changes nothing. The worker adds the bytes and their type.
{method: "PUT", path: "/api/pieces/\(.attachment.digest)?reference=\(.reference | @uri)"}
