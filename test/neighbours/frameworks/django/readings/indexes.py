from django.contrib.postgres.indexes import PostgresIndex


class LearnedIndex(PostgresIndex):
    suffix = "learned"

    def __init__(self, *expressions, fillfactor=None, **kwargs):
        self.fillfactor = fillfactor
        super().__init__(*expressions, **kwargs)

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        if self.fillfactor is not None:
            kwargs["fillfactor"] = self.fillfactor
        return path, args, kwargs

    def get_with_params(self):
        return [] if self.fillfactor is None else ["fillfactor = %d" % self.fillfactor]
