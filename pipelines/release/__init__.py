"""From the lanes' tables to a release: staging, publishing, and tidying up."""
