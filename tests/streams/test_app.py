"""What a worker is made of."""

from pathlib import Path

from streams.app import store_opener
from streams.engine.state import RocksStore
from streams.settings import Settings


def test_the_stores_of_a_worker_share_one_memory_budget(tmp_path: Path) -> None:
    open_store = store_opener(Settings(data_dir=tmp_path), cluster_id="c")
    stores = [open_store(partition) for partition in range(3)]
    budgets = {id(store._budget) for store in stores if isinstance(store, RocksStore)}
    for store in stores:
        store.close()
    assert len(stores) == 3
    assert len(budgets) == 1
