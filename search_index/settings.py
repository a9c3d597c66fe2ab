"""Settings, read once at the edge from ``PLUMBLINE_*`` and passed in from there."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from search_index.fusion import Ranking

DEFAULT_MODEL = "all-MiniLM-L6-v2"
RuntimeChoice = Literal["auto", "openvino", "onnxruntime", "torch"]


class Settings(BaseSettings):
    """Where things are and how they behave. Every field is ``PLUMBLINE_<FIELD>`` in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="PLUMBLINE_", extra="ignore", frozen=True, env_nested_delimiter="__", env_ignore_empty=True
    )

    home: Path = Field(Path(".plumbline"), description="folder that holds everything Plumbline keeps")
    contracts: Path | None = Field(None, description="folder of data contracts; default: `contracts` beside the home")
    qdrant_url: str | None = Field(None, description="a Qdrant server; default: the embedded engine")
    qdrant_api_key: SecretStr | None = Field(None, description="key that the Qdrant server asks for")
    qdrant_prefix: str = Field(
        "plumbline",
        pattern="^[a-z][a-z0-9_]*$",
        description="begins the names of all collections of this home",
    )
    qdrant_timeout: int = Field(5, ge=1, description="seconds that the Qdrant server has to answer a search")
    qdrant_write_timeout: int = Field(60, ge=1, description="seconds that it has to apply a write")
    database_url: str | None = Field(None, repr=False, description="SQLAlchemy URL of the catalog; default: SQLite in the home")
    dagster_url: str | None = Field(
        None, repr=False, description="PostgreSQL URL of Dagster's records; default: the catalog's database, or SQLite in the home"
    )
    lake_url: str | None = Field(None, description="where the tables are; default: `lake` in the home")
    model: str = Field(DEFAULT_MODEL, description="embedding model: a name, a folder, or either with `@sha256:<digest>`")
    runtime: RuntimeChoice = Field("auto", description="what runs the model; `auto`: the fastest that makes the vectors of torch")
    models: Path | None = Field(None, description="where exported model graphs are kept; default: `models` in the home")
    signing_key: str | None = Field(None, description="key that signs releases, hexadecimal; default: `signing.key` in the home")
    host: str = "127.0.0.1"
    port: int = 8000
    dagster_port: int = 3000
    service_url: str | None = Field(None, pattern="^https?://", description="where the service is that probes ask; default: host and port")
    probe_key: SecretStr | None = Field(None, description="key that probes ask with")
    allow_anonymous: bool = Field(False, description="let those who send no key search what `everyone` may read, wherever they ask from")
    oidc_issuer: str | None = Field(
        None, description="OpenID Connect issuer whose tokens are taken beside keys: https, exactly as in `iss`"
    )
    oidc_audience: str | None = Field(None, description="what a token's `aud` has to name")
    oidc_groups_claim: str = Field("groups", description="claim with the groups of whoever asks")
    oidc_groups_prefix: str = Field("", description="put before each of them, so that they are not taken for groups of another origin")
    oidc_tenant_claim: str | None = Field(
        None, description="claim with the tenant, without which a token is refused; default: every token is of the tenant `default`"
    )
    oidc_scopes_claim: str = Field("scope", description="claim with the scopes: a list, or words with blanks between them")
    rate_limit: int = Field(600, ge=0, description="requests a minute for each key, token's subject or anonymous address; 0: no limit")
    encoder_timeout: float = Field(5.0, gt=0, description="seconds that the service waits for a query's vector; then it answers without")
    planner_url: str | None = Field(
        None, pattern="^https?://", description="OpenAI-compatible API, up to `/v1`, of a model that plans agentic searches"
    )
    planner_model: str = Field("default", description="the model that it is to use")
    planner_key: SecretStr | None = Field(None, description="key that it asks for")
    fallback_passages: int = Field(
        10_000,
        ge=0,
        description="passages of a release that the service keeps in memory as well, to answer by their words while the engine does not;"
        " a release of more is not kept. About 25 MB for a thousand; 0: none",
    )
    answer_cache_mb: float = Field(
        16, ge=0, description="megabytes of answers that the service keeps for whoever asks the same again; 0: none"
    )
    max_body: int = Field(1_048_576, ge=1024, description="largest request body, in bytes")
    webhook_url: str | None = Field(None, description="where alerts are posted; several addresses with commas between them")
    webhook_secret: str | None = Field(None, repr=False, description="signs alerts, as the Standard Webhooks specification says")
    publish: Literal["live", "beside"] = Field(
        "live", description="what becomes of a release that passes its gates: it goes live, or waits beside the live one to be resumed"
    )
    retain_releases: int = Field(10, ge=1, description="how many published releases as-of and rollback can reach")
    ranking: Ranking = Field(default_factory=Ranking, description="how hits are ranked; where any of it is given, nothing is tuned")
    reranker: Path | None = Field(None, description="folder of a cross-encoder that scores the best of a hybrid ranking anew")
    rerank_top: int = Field(20, ge=1, le=1000, description="how many passages a reranker scores anew")
    tuning: Literal["auto", "off"] = Field(
        "auto", description="`auto`: learn the ranking from golden sets where that is better beyond noise"
    )
    regression_tolerance: float = Field(0.03, description="largest loss of mean nDCG@10 against the live release that is let through")
    floor_ndcg: float = Field(0.2, description="least nDCG@10 a release with a golden set may have")
    floor_known_items: float = Field(0.2, description="least share of its own sentences that each arm must find the passages of")
    query_log: Literal["off", "figures", "text"] = Field(
        "figures", description="what is kept of queries: nothing, figures, their words too"
    )
    query_log_days: int = Field(30, ge=1, description="days that queries and feedback on them are kept for")
    drift_baseline_days: int = Field(7, ge=1, description="how much older the release is that drift is looked for against")

    @property
    def root(self) -> Path:
        """The home as an absolute path."""
        return self.home.expanduser().resolve()

    @property
    def address(self) -> str:
        """Where the service of this home answers, as somebody on this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}"

    @property
    def contract_folders(self) -> list[Path]:
        """The project's contracts, then those that ``plumbline ingest PATH`` wrote into the home."""
        project = self.contracts.expanduser().resolve() if self.contracts else self.root.parent / "contracts"
        return list(dict.fromkeys([project, self.root / "contracts"]))

    @property
    def pushed_dir(self) -> Path:
        """Folder of documents that applications pushed."""
        return self.root / "pushed"

    @property
    def contract_variables(self) -> dict[str, str]:
        """What ``${NAME}`` in a contract's location may stand for."""
        return {"PLUMBLINE_HOME": str(self.root)}

    @property
    def catalog_url(self) -> str:
        """SQLAlchemy URL of the catalog."""
        return self.database_url or f"sqlite:///{self.root / 'catalog.db'}"

    @property
    def lake(self) -> str:
        """Folder or URL that holds the Delta tables."""
        return self.lake_url or str(self.root / "lake")

    @property
    def ledgers(self) -> str:
        """Folder or URL that holds what the server engine keeps beside its collections."""
        return f"{self.lake.rstrip('/')}/_indexes"

    @property
    def webhook_urls(self) -> list[str]:
        """Every address that alerts are posted to."""
        return [url.strip() for url in (self.webhook_url or "").split(",") if url.strip()]

    @property
    def models_dir(self) -> Path:
        """Folder of exported model graphs."""
        return self.models.expanduser().resolve() if self.models else self.root / "models"

    @property
    def adapters_dir(self) -> Path:
        """Folder of query adapters, each named by the sha256 of its file."""
        return self.root / "adapters"

    @property
    def rerankers_dir(self) -> Path:
        """Folder of rerankers, each in a folder named by the sha256 over its files."""
        return self.root / "rerankers"

    @property
    def tunes(self) -> bool:
        """Whether rankings are learned: a ranking that somebody gave is taken as it is."""
        return self.tuning == "auto" and "ranking" not in self.model_fields_set

    @property
    def dagster_home(self) -> Path:
        """Dagster's own folder: runs, events, schedules."""
        return self.root / "dagster"
