"""The catalog's tables."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData()


class Instant(TypeDecorator[datetime]):
    """A UTC instant; SQLite forgets the zone, this puts it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read UTC."""
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)) if value else None


releases = Table(
    "releases",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("status", String(16), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("published_at", Instant),
    Column("manifest", Text),
    Column("signature", String(64)),
    Column("reasons", JSON, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("overridden", JSON),
    CheckConstraint("status in ('candidate', 'live', 'retired', 'rejected')", name="releases_status"),
)

pointer = Table(
    "pointer",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("live", Integer),
    Column("head", Integer),
    Column("paused", Text),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("id = 1", name="pointer_single_row"),
)

pointer_moves = Table(
    "pointer_moves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("live", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("check", String(200), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("inputs_digest", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("signature", String(64)),
    Index("verdicts_by_inputs", "subject", "check", "inputs_digest"),
)

release_verdicts = Table(
    "release_verdicts",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("verdict", Integer, primary_key=True),
)

lanes = Table(
    "lanes",
    metadata,
    Column("source", String(100), primary_key=True),
    Column("stage", String(32), primary_key=True),
    Column("inputs", String(64), nullable=False),
    Column("data_version", String(64), nullable=False),
    Column("state", JSON, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("at", Instant, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("change", String(64), primary_key=True),
    Column("source", String(100), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("description", Text, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("accepted_at", Instant),
    Column("actor", Text),
    Column("reason", Text),
    Column("signature", String(64)),
)

contract_versions = Table(
    "contract_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String(100), nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("contract_versions_by_source", "source", "digest"),
)

freezes = Table(
    "freezes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended_at", Instant),
    Column("ended_by", Text),
    Column("ended_reason", Text),
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("body", Text, nullable=False),
    Column("signature", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("revoked_by", Text),
    Column("revoked_reason", Text),
)

pins = Table(
    "pins",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

shadows = Table(
    "shadows",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    CheckConstraint("id = 1", name="shadows_single_row"),
)

shadow_answers = Table(
    "shadow_answers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("live", Integer, nullable=False),
    Column("shadow", Integer, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("overlap", Float),
    Column("live_ms", Float, nullable=False),
    Column("shadow_ms", Float, nullable=False),
    Column("live_hits", Integer, nullable=False),
    Column("shadow_hits", Integer, nullable=False),
    Column("failed", String(100)),
    Index("shadow_answers_by_shadow", "shadow"),
)

canaries = Table(
    "canaries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("ended_at", Instant),
    Column("ended_by", Text),
    Column("why", Text),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("body", Text, nullable=False),
    Column("signature", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("revoked_by", Text),
)

api_key_uses = Table(
    "api_key_uses",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("last_used_at", Instant, nullable=False),
)

queries = Table(
    "queries",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("release", Integer, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("principal", String(16), nullable=False),
    Column("tenant", String(64), nullable=False, server_default="default"),
    Column("text", Text),
    Column("terms", Integer, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("chunks", JSON, nullable=False),
    Column("source", String(128)),
    Column("took_ms", Float, nullable=False),
    Column("best_cosine", Float),
    Column("confidence", Float),
    Column("answerable", Boolean),
    Column("degraded", JSON, nullable=False),
    Column("worth_a_look", String(16)),
    Index("queries_by_at", "at"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("query_id", String(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("principal", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("release", Integer, nullable=False),
    Column("chunk_id", String(64)),
    Column("uri", Text),
    Column("quote", Text),
    Column("query", Text),
    Column("note", Text),
    Index("feedback_by_query", "query_id"),
    Index("feedback_by_at", "at"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("query_id", String(32), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("actor", Text, nullable=False),
)

service_probes = Table(
    "service_probes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Index("service_probes_by_at", "at"),
)

overlay = Table(
    "overlay",
    metadata,
    Column("document_id", String(36), primary_key=True),
    Column("source", String(128), nullable=False),
    Column("tenant", String(128), nullable=False),
    Column("why", String(16), nullable=False),
    Column("groups", JSON, nullable=False),
    Column("since", Instant, nullable=False),
    Column("by", Text, nullable=False),
    CheckConstraint("why in ('narrowed', 'erased')", name="overlay_why"),
    Index("overlay_by_source", "source"),
)

overlay_version = Table(
    "overlay_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("id = 1", name="overlay_version_single_row"),
)
